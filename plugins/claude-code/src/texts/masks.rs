//! What can change the answer, and is only left out where the configuration asks for it.

use deja_plugin::rules::Rules;
use memchr::memmem;

use super::{Splice, lines_with};
use crate::settings::{Rule, Settings};

/// Lines of the description of the environment.
const ENVIRONMENT: [&str; 4] = [
    "Primary working directory: ",
    "Working directory: ",
    "Platform: ",
    "OS Version: ",
];

/// What the agent begins the state of the git repository with.
const GIT_STATUS: &str = "This is the git status at the start of the conversation. \
    Note that this status is a snapshot in time, and will not update during the conversation.\n";

/// Where the state of the git repository ends: the next heading, a closing remark, or the tag.
const AFTER_GIT_STATUS: [&str; 3] = ["\n# ", "\n      IMPORTANT: ", "\n</system-reminder>"];

/// The splices for the masks that are switched on.
pub(super) fn splices(text: &str, settings: &Settings, splices: &mut Vec<Splice>) {
    if settings.apply(Rule::MaskDate) {
        date(text, splices);
    }
    if settings.apply(Rule::MaskEnvironment) {
        environment(text, splices);
    }
    if settings.apply(Rule::MaskGitStatus) {
        git_status(text, splices);
    }
}

/// `Today's date is 2026-08-16.`
fn date(text: &str, splices: &mut Vec<Splice>) {
    const LABEL: &str = "Today's date is ";
    const PATTERN: &str = "dddd-dd-dd.";
    for start in memmem::find_iter(text.as_bytes(), LABEL).map(|start| start + LABEL.len()) {
        let matches = |(byte, pattern): (u8, u8)| match pattern {
            b'd' => byte.is_ascii_digit(),
            _ => byte == pattern,
        };
        let end = start + PATTERN.len();
        if let Some(date) = text.get(start..end)
            && date.bytes().zip(PATTERN.bytes()).all(matches)
        {
            splices.push(Splice::drop(Rule::MaskDate, start..end - 1));
        }
    }
}

/// Lines such as ` - Platform: linux`; older versions write them without the dash.
fn environment(text: &str, splices: &mut Vec<Splice>) {
    for dash in [" - ", ""] {
        for label in ENVIRONMENT {
            let label = format!("{dash}{label}");
            let lines = lines_with(text, &label);
            splices.extend(lines.map(|line| Splice::drop(Rule::MaskEnvironment, line.value)));
        }
    }
}

fn git_status(text: &str, splices: &mut Vec<Splice>) {
    if let Some(start) = memmem::find(text.as_bytes(), GIT_STATUS.as_bytes()) {
        let start = start + GIT_STATUS.len();
        let ends = AFTER_GIT_STATUS.map(|end| text[start..].find(end));
        let end = ends.into_iter().flatten().min();
        let end = end.map_or(text.len(), |length| start + length);
        splices.push(Splice::drop(Rule::MaskGitStatus, start..end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::{self, Speaker, spliced};

    fn masked(text: &str, speaker: Speaker, config: &str) -> String {
        let settings = Settings::parse(config).expect("these are settings");
        spliced(text, &texts::splices(text, speaker, &settings))
    }

    #[test]
    fn the_date_is_left_out_in_its_exact_form() {
        let mask = |text| masked(text, Speaker::System, r#"{"mask_date": true}"#);
        assert_eq!(
            mask("a. Today's date is 2026-08-16. b"),
            "a. Today's date is . b"
        );
        for text in [
            "Today's date is 16/08/2026.",
            "Today's date is 2026-08-1",
            "2026-08-16.",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn the_environment_is_left_out_line_by_line() {
        let mask = |text| masked(text, Speaker::System, r#"{"mask_environment": true}"#);
        let environment = "# Environment\n - Primary working directory: /a\n - Platform: linux\n \
            - Shell: bash\n - OS Version: Linux 6.1";
        assert_eq!(
            mask(environment),
            "# Environment\n - Primary working directory: \n - Platform: \n - Shell: bash\n \
             - OS Version: "
        );
        assert_eq!(
            mask("<env>\nWorking directory: /a\n</env>"),
            "<env>\nWorking directory: \n</env>"
        );
        assert_eq!(mask("The Platform: linux"), "The Platform: linux");
    }

    #[test]
    fn the_git_status_is_left_out_up_to_what_follows_it() {
        let mask = |text: &str| masked(text, Speaker::User, r#"{"mask_git_status": true}"#);
        let reminder = |status: &str, after: &str| {
            format!("<system-reminder>\n# gitStatus\n{GIT_STATUS}{status}{after}")
        };
        for after in ["\n# currentDate\nToday", "\n</system-reminder>", ""] {
            let status = "\nCurrent branch: main\n\nStatus:\n M a.rs";
            assert_eq!(mask(&reminder(status, after)), reminder("", after));
        }
    }

    #[test]
    fn a_users_own_words_are_never_masked() {
        let config = r#"{"mask_date": true, "mask_environment": true, "mask_reminders": true}"#;
        let text = "Today's date is 2026-08-16.\nPlatform: linux\n";
        assert_eq!(masked(text, Speaker::User, config), text);
        assert_eq!(masked(text, Speaker::Other, config), text);
    }
}
