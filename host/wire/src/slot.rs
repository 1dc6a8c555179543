//! The places in an answer's text where each reply has an id or a time of its own.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde_json::value::RawValue;

use crate::{
    Api, Endpoint, Fresh,
    fresh::{HEX_BYTES, NUMBERED_BYTES, TIME_BYTES},
    messages, openai, responses,
};

/// A value in an answer's JSON that belongs to one reply. It is found by where it stands, never by
/// its text, which may stand elsewhere too.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spot<'a> {
    /// The reply's id.
    Reply(&'a RawValue),
    /// When it was made.
    Created(&'a RawValue),
    /// The id of one of its items.
    Item(&'a RawValue),
    /// The id of a tool call.
    Tool(&'a RawValue),
    /// Names a tool call, which may be one of an earlier answer.
    ToolReference(&'a RawValue),
}

/// Prefixes of tool call ids that carry no meaning where letters and digits alone follow them:
/// `OpenAI`'s, Anthropic's, and those that Deja generates itself. Ids of other forms may carry one:
/// a tool's name, a position, or a signature that the vendor wants back.
const OPAQUE_TOOL_IDS: [&str; 4] = ["call_", "toolu_", "srvtoolu_", "mcptoolu_"];

/// Prefixes of the ids that Deja gives to the items of a response.
const ITEM_IDS: [&str; 4] = ["msg_", "rs_", "fc_", "ctc_"];

/// What a slot is filled with. The prefix of an id, like `chatcmpl-`, stands before the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// A hexadecimal id.
    Hex,
    /// The reply's id of this number.
    Numbered(u32),
    /// The time.
    Created,
}

/// A place to be filled, where a placeholder of the same length stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its first byte.
    pub(crate) at: usize,
    /// What belongs there.
    pub(crate) fill: Fill,
}

/// A text with placeholders in its slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The text.
    pub(crate) text: Vec<u8>,
    /// Its slots, in order.
    pub(crate) slots: Vec<Slot>,
}

impl Piece {
    /// A text without slots.
    pub(crate) fn plain(text: &[u8]) -> Self {
        Self {
            text: text.to_owned(),
            slots: Vec::new(),
        }
    }

    /// Returns a text in which these slots are filled already.
    pub(crate) fn with_slots(text: &[u8], slots: &[Slot]) -> Self {
        let mut text = text.to_owned();
        for slot in slots {
            let bytes = text[slot.range()].iter_mut();
            bytes
                .zip(slot.fill.placeholder())
                .for_each(|(byte, placeholder)| *byte = placeholder);
        }
        Self {
            text,
            slots: slots.to_owned(),
        }
    }
}

impl Fill {
    fn bytes(self) -> usize {
        match self {
            Self::Hex => HEX_BYTES,
            Self::Numbered(_) => NUMBERED_BYTES,
            Self::Created => TIME_BYTES,
        }
    }

    /// Stands in the slot until it is filled: different for each fill, and made of bytes that
    /// UTF-8 never has, so that no text is taken for a placeholder.
    fn placeholder(self) -> impl Iterator<Item = u8> {
        let (first, digits) = match self {
            Self::Hex => (0xF8, 0),
            Self::Created => (0xF9, 0),
            Self::Numbered(number) => (0xFA, number),
        };
        let octal = move |place: u32| {
            let shifted = digits.checked_shr(3 * place).unwrap_or(0);
            0xF8 | u8::try_from(shifted & 7).expect("three bits fit")
        };
        (0..).map(octal).take(self.bytes() - 1).chain([first])
    }

    /// Fills the slot that `text` begins with.
    pub(crate) fn write(self, fresh: &Fresh, text: &mut [u8]) {
        let slot = &mut text[..self.bytes()];
        match self {
            Self::Hex => slot.copy_from_slice(&fresh.hex()),
            Self::Numbered(number) => slot.copy_from_slice(&fresh.numbered(number)),
            Self::Created => slot.copy_from_slice(&fresh.time()),
        }
    }
}

impl Slot {
    /// The bytes that it takes.
    pub(crate) fn range(self) -> Range<usize> {
        self.at..self.at + self.fill.bytes()
    }
}

/// Gives the ids of one answer their slots: the same id has the same fill wherever it stands.
#[derive(Debug)]
pub(crate) struct Ids {
    endpoint: Endpoint,
    /// The number of each id of a tool call or an item that is replaced.
    numbers: HashMap<String, u32>,
    /// Ids that were referred to before any tool call had them: they stay wherever they stand.
    kept: HashSet<String>,
    /// Whether ids and times are replaced. An upstream that speaks the Responses API may have kept
    /// its response: a client's next request refers to it and its items by their ids, so that they
    /// stay. Those that Deja encoded itself nobody has kept.
    is_replaced: bool,
}

/// A spot's place in the text, and what takes it: a prefix and a slot.
struct Substitute {
    range: Range<usize>,
    prefix: &'static str,
    fill: Fill,
}

impl Ids {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            numbers: HashMap::new(),
            kept: HashSet::new(),
            is_replaced: endpoint.api() != Api::Responses,
        }
    }

    /// The text, with slots for the ids and the time in this JSON, which is borrowed from it.
    pub(crate) fn piece(&mut self, text: &[u8], json: &[u8]) -> Result<Piece, serde_json::Error> {
        let spots = match self.endpoint.api() {
            Api::OpenAi => openai::spots(json),
            Api::Responses => responses::spots(json),
            Api::Anthropic => messages::spots(json),
        };
        Ok(self.substitute_all(text, &spots?))
    }

    /// Puts slots in the place of these spots, that of the reply's id before all others.
    pub(crate) fn substitute_all(&mut self, text: &[u8], spots: &[Spot<'_>]) -> Piece {
        let mut substitutes: Vec<_> = spots
            .iter()
            .filter_map(|&spot| self.substitute(text, spot))
            .collect();
        substitutes.sort_unstable_by_key(|substitute| substitute.range.start);
        let mut piece = Piece::default();
        let mut done = 0;
        for Substitute {
            range,
            prefix,
            fill,
        } in substitutes
        {
            piece.text.extend_from_slice(&text[done..range.start]);
            piece.text.extend_from_slice(prefix.as_bytes());
            let at = piece.text.len();
            piece.slots.push(Slot { at, fill });
            piece.text.extend(fill.placeholder());
            done = range.end;
        }
        piece.text.extend_from_slice(&text[done..]);
        piece
    }

    /// What takes the spot's place. What is no id or no time, like an empty string, stays.
    fn substitute(&mut self, text: &[u8], spot: Spot<'_>) -> Option<Substitute> {
        let (value, (prefix, fill)) = match spot {
            Spot::Reply(raw) => {
                let id = string(raw)?;
                (id, self.reply(id)?)
            }
            _ if !self.is_replaced => return None,
            Spot::Item(raw) => {
                let id = string(raw)?;
                (id, self.numbered(id, opaque_prefix(id, &ITEM_IDS)?)?)
            }
            Spot::Tool(raw) => {
                let id = string(raw)?;
                (id, self.tool(id)?)
            }
            Spot::ToolReference(raw) => {
                let id = string(raw)?;
                (id, self.reference(id)?)
            }
            Spot::Created(raw) => (number(raw)?, ("", Fill::Created)),
        };
        let start = value.as_ptr().addr() - text.as_ptr().addr();
        Some(Substitute {
            range: start..start + value.len(),
            prefix,
            fill,
        })
    }

    /// Returns what takes the place of the reply's id; none if it has to stay.
    fn reply(&mut self, original: &str) -> Option<(&'static str, Fill)> {
        let usual = match self.endpoint {
            Endpoint::ChatCompletions => "chatcmpl-",
            Endpoint::Completions => "cmpl-",
            Endpoint::Embeddings => "embd-",
            Endpoint::Responses => {
                self.is_replaced = original.starts_with(responses::OWN_ID);
                return self.is_replaced.then_some((responses::OWN_ID, Fill::Hex));
            }
            Endpoint::Messages | Endpoint::CountTokens => "msg_",
        };
        match prefix(original, &["chatcmpl-", "cmpl-", "embd-", "msg_"]).unwrap_or(usual) {
            prefix @ "msg_" => Some((prefix, Fill::Numbered(0))),
            prefix => Some((prefix, Fill::Hex)),
        }
    }

    /// Returns what takes the place of a tool call's id; none if it has to stay.
    fn tool(&mut self, original: &str) -> Option<(&'static str, Fill)> {
        let prefix = opaque_prefix(original, &OPAQUE_TOOL_IDS)?;
        self.numbered(original, prefix)
    }

    /// Returns what takes the place of an id with this prefix; none if it has to stay.
    fn numbered(&mut self, original: &str, prefix: &'static str) -> Option<(&'static str, Fill)> {
        if self.kept.contains(original) {
            return None;
        }
        // 0 is the reply's own.
        let next = u32::try_from(self.numbers.len() + 1).expect("an answer has few ids");
        let number = *self.numbers.entry(original.to_owned()).or_insert(next);
        Some((prefix, Fill::Numbered(number)))
    }

    /// Returns what takes the place of a reference to a tool call; none if it has to stay.
    fn reference(&mut self, original: &str) -> Option<(&'static str, Fill)> {
        let prefix = opaque_prefix(original, &OPAQUE_TOOL_IDS)?;
        if let Some(number) = self.numbers.get(original) {
            return Some((prefix, Fill::Numbered(*number)));
        }
        self.kept.insert(original.to_owned());
        None
    }
}

/// Returns which of these prefixes an id has that carries no meaning; none if it may carry one.
fn opaque_prefix(id: &str, known: &[&'static str]) -> Option<&'static str> {
    known.iter().copied().find(|prefix| {
        let rest = id.strip_prefix(prefix).unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// The prefix that an id has, if it is one of these.
fn prefix(id: &str, known: &[&'static str]) -> Option<&'static str> {
    let end = id.find(['-', '_'])?;
    known.iter().copied().find(|&prefix| prefix == &id[..=end])
}

/// What stands between a string's quotes, if anything does.
fn string(raw: &RawValue) -> Option<&str> {
    let content = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    (!content.is_empty()).then_some(content)
}

/// A number's digits.
fn number(raw: &RawValue) -> Option<&str> {
    let digits = raw.get();
    digits
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(digits)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn piece<'a>(endpoint: Endpoint, text: &'a str, spot: fn(&'a RawValue) -> Spot<'a>) -> Piece {
        let values: Vec<&RawValue> = serde_json::from_str(text).expect("it is a list");
        let spots: Vec<_> = values.into_iter().map(spot).collect();
        Ids::new(endpoint).substitute_all(text.as_bytes(), &spots)
    }

    fn filled(piece: &Piece) -> Vec<String> {
        let mut text = piece.text.clone();
        let fresh = Fresh::new();
        for slot in &piece.slots {
            slot.fill.write(&fresh, &mut text[slot.at..]);
        }
        serde_json::from_slice(&text).expect("all placeholders are filled")
    }

    #[test]
    fn placeholders_differ_and_are_no_text() {
        let numbers = [0, 1, 7, 8, 511, 512, 70_000, u32::MAX].map(Fill::Numbered);
        let fills = [Fill::Hex, Fill::Created].into_iter().chain(numbers);
        let placeholders: HashSet<Vec<_>> = fills.map(|f| f.placeholder().collect()).collect();
        assert_eq!(placeholders.len(), 10);
        assert!(placeholders.iter().flatten().all(|&byte| byte >= 0xF8));
    }

    #[test]
    fn ids_keep_their_form() {
        let text = r#"["call_1", "toolu_2", "mcptoolu_5", "srvtoolu_3"]"#;
        let ids = filled(&piece(Endpoint::ChatCompletions, text, Spot::Tool));
        let prefixes = ["call_", "toolu_", "mcptoolu_", "srvtoolu_"];
        for (id, prefix) in ids.iter().zip(prefixes) {
            assert_eq!(
                id.strip_prefix(prefix).map(str::len),
                Some(NUMBERED_BYTES),
                "{id}"
            );
        }
        let id = filled(&piece(Endpoint::Messages, r#"["1"]"#, Spot::Reply)).remove(0);
        assert!(id.starts_with("msg_"), "{id}");
        let id = filled(&piece(Endpoint::Completions, r#"["1"]"#, Spot::Reply)).remove(0);
        assert!(id.starts_with("cmpl-"), "{id}");
    }

    #[test]
    fn the_same_id_is_replaced_by_the_same() {
        let text = r#"["toolu_1", "toolu_2", "toolu_1"]"#;
        let ids = filled(&piece(Endpoint::Messages, text, Spot::Tool));
        assert_eq!(ids[0], ids[2]);
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn a_response_has_fresh_ids_if_deja_made_it() {
        let spots = |values: &[&'static RawValue]| {
            let [reply, created, item, call] = values else {
                panic!("four values are given");
            };
            [
                Spot::Reply(reply),
                Spot::Created(created),
                Spot::Item(item),
                Spot::Tool(call),
            ]
        };
        for (text, slots) in [
            (r#"["resp_deja1", 7, "msg_1", "call_1"]"#, 4),
            (r#"["resp_deja1", 7, "msg_1_2", "x"]"#, 2),
            (r#"["resp_1", 7, "msg_1", "call_1"]"#, 0),
        ] {
            let values: Vec<&RawValue> = serde_json::from_str(text).expect("it is a list");
            let mut ids = Ids::new(Endpoint::Responses);
            let piece = ids.substitute_all(text.as_bytes(), &spots(&values));
            assert_eq!(piece.slots.len(), slots, "{text}");
        }
    }

    #[test]
    fn what_is_no_id_stays() {
        let text = r#"["", 7, [], {}]"#;
        let piece = piece(Endpoint::ChatCompletions, text, Spot::Reply);
        assert_eq!(piece.text, text.as_bytes());
        assert!(piece.slots.is_empty());
    }

    #[test]
    fn tool_call_ids_that_may_mean_something_stay() {
        for id in [
            "D681PevKs",
            "functions.get_weather:0",
            "call_",
            "call_1__thought__Q2lR",
            "call_0_8a9b",
            "chatcmpl-tool-4",
            "1",
            "call_\\u0031",
        ] {
            let text = format!("[\"{id}\"]");
            for spot in [Spot::Tool, Spot::ToolReference] {
                let piece = piece(Endpoint::ChatCompletions, &text, spot);
                assert_eq!(piece, Piece::plain(text.as_bytes()), "{id}");
            }
        }
    }

    #[test]
    fn an_id_that_was_referred_to_first_stays_everywhere() {
        let values: Vec<&RawValue> =
            serde_json::from_str(r#"["call_1", "call_1"]"#).expect("it is a list");
        let mut ids = Ids::new(Endpoint::ChatCompletions);
        let text = values[0].get().as_bytes();
        let reference = ids.substitute_all(text, &[Spot::ToolReference(values[0])]);
        let text = values[1].get().as_bytes();
        let call = ids.substitute_all(text, &[Spot::Tool(values[1])]);
        assert!(reference.slots.is_empty() && call.slots.is_empty());
    }

    #[test]
    fn a_reference_to_an_earlier_answer_stays() {
        let piece = piece(Endpoint::Messages, r#"["toolu_1"]"#, Spot::ToolReference);
        assert!(piece.slots.is_empty());
    }
}
