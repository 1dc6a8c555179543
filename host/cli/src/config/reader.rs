//! Reads a TOML file setting by setting, and keeps every mistake with its line.

use std::{cell::RefCell, fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::value::Setting;

/// One mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Its line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// Collects the mistakes of one file.
pub(crate) struct Mistakes<'a> {
    text: &'a str,
    /// Lines that are not TOML. What was made of them is not worth another word.
    unreadable: Vec<usize>,
    found: RefCell<Vec<Mistake>>,
}

impl<'a> Mistakes<'a> {
    pub(crate) fn new(text: &'a str, errors: Vec<toml::de::Error>) -> Self {
        let mut mistakes = Self {
            text,
            unreadable: Vec::new(),
            found: RefCell::default(),
        };
        for error in errors {
            let place = error.span().unwrap_or_default();
            mistakes.add(place.clone(), error.message());
            mistakes.unreadable.push(mistakes.line(&place));
        }
        mistakes
    }

    pub(crate) fn add(&self, place: Range<usize>, problem: impl Into<String>) {
        let line = self.line(&place);
        if !self.unreadable.contains(&line) {
            self.found.borrow_mut().push(Mistake {
                line,
                problem: problem.into(),
            });
        }
    }

    fn line(&self, place: &Range<usize>) -> usize {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// All mistakes, in the file's order.
    pub(crate) fn into_vec(self) -> Vec<Mistake> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|mistake| mistake.line);
        found
    }
}

/// A table of the file. Each setting is asked for by name; what nobody asked for is a mistake.
pub(crate) struct Section<'a> {
    /// Its name with a dot behind it, or nothing for the whole file.
    prefix: String,
    table: Option<&'a DeTable<'a>>,
    place: Range<usize>,
    known: Vec<&'static str>,
    mistakes: &'a Mistakes<'a>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(crate) fn whole(file: &'a Spanned<DeTable<'a>>, mistakes: &'a Mistakes<'a>) -> Self {
        let (prefix, table, place) = (String::new(), Some(file.as_ref()), file.span());
        Self {
            prefix,
            table,
            place,
            known: Vec::new(),
            mistakes,
        }
    }

    /// The table of this name; an empty one if there is none.
    pub(crate) fn section(&mut self, name: &'static str) -> Self {
        let value = self.raw(name);
        let table = value.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.mistakes.add(
                    value.span(),
                    format!("`{}{name}` must be a table", self.prefix),
                );
            }
            table
        });
        self.inner(name, table, value)
    }

    /// The tables under this name, `[[name]]` each.
    pub(crate) fn sections(&mut self, name: &'static str) -> Vec<Self> {
        let Some(value) = self.raw(name) else {
            return Vec::new();
        };
        let items = value.get_ref().as_array().map(|items| items.iter());
        let tables = items.map(|items| {
            items
                .map(|item| Some((item, item.get_ref().as_table()?)))
                .collect::<Option<Vec<_>>>()
        });
        let Some(tables) = tables.flatten() else {
            let problem = format!("`{name}` must be a list of tables: `[[{name}]]`");
            self.mistakes.add(value.span(), problem);
            return Vec::new();
        };
        let inner = |(item, table)| self.inner(name, Some(table), Some(item));
        tables.into_iter().map(inner).collect()
    }

    fn inner(
        &self,
        name: &str,
        table: Option<&'a DeTable<'a>>,
        value: Option<&'a Spanned<DeValue<'a>>>,
    ) -> Self {
        Self {
            prefix: format!("{}{name}.", self.prefix),
            table,
            place: value.map_or(0..0, Spanned::span),
            known: Vec::new(),
            mistakes: self.mistakes,
        }
    }

    /// The setting's value, or the default if it is not given or wrong.
    pub(crate) fn get<T: Setting>(&mut self, name: &'static str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// The setting's value, if it is given and right.
    pub(crate) fn optional<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        let value = self.raw(name)?;
        let read = T::read(value.get_ref());
        if read.is_none() {
            let (prefix, expected) = (&self.prefix, T::EXPECTED);
            self.mistakes
                .add(value.span(), format!("`{prefix}{name}` must be {expected}"));
        }
        read
    }

    /// The setting's value; not to give it is a mistake.
    pub(crate) fn required<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        let value = self.optional(name);
        if !self.has(name) {
            self.mistakes.add(
                self.place.clone(),
                format!("`{}{name}` is missing", self.prefix),
            );
        }
        value
    }

    /// Whether the setting is given, rightly or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// A mistake in one of the settings.
    pub(crate) fn mistake(&self, name: &str, problem: &str) {
        let value = self.table.and_then(|table| table.get(name));
        let place = value.map_or(self.place.clone(), Spanned::span);
        self.mistakes
            .add(place, format!("`{}{name}` {problem}", self.prefix));
    }

    fn raw(&mut self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(name);
        self.table?.get(name)
    }

    /// Ends the reading: every setting that was not asked for is a mistake.
    pub(crate) fn finish(self) {
        for name in self.table.into_iter().flat_map(DeTable::keys) {
            if !self.known.contains(&name.get_ref().as_ref()) {
                let hint = nearest(name.get_ref(), &self.known)
                    .map(|known| format!("; did you mean `{known}`?"))
                    .unwrap_or_default();
                let problem = format!("unknown setting `{}{}`{hint}", self.prefix, name.get_ref());
                self.mistakes.add(name.span(), problem);
            }
        }
    }
}

/// The known name that is most like this one, if any is much like it.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |known: &&&str| strsim::jaro_winkler(name, known);
    let nearest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&nearest) > 0.8).then_some(*nearest)
}
