use std::time::Instant;

use deja_tests::{Answer, Api};
use serde_json::json;

use super::{Oracle, Verdict};
use crate::{
    fault::{Fault, PAGE},
    question::{Call, Question, Spelling, Target},
    reply::Reply,
};

const CALLER: Option<&str> = Some("key-of-ada");

const DOCUMENT: Spelling = Spelling {
    stream: false,
    usage: false,
    odd: false,
};

const STREAM: Spelling = Spelling {
    stream: true,
    usage: true,
    odd: false,
};

fn question(call: Call, target: Target) -> Question {
    Question {
        call,
        target,
        model: "m",
        caller: CALLER,
        organization: None,
        topic: 7,
        size: 0,
        tools: true,
        turns: false,
        fault: None,
        slow: false,
    }
}

/// A conversation that is answered without translation.
fn chat() -> Question {
    question(Call::Chat, Target::OpenAi)
}

fn document(api: Api, answer: &Answer) -> Reply {
    Reply {
        status: 200,
        body: api.document(answer).to_string(),
        ..Reply::default()
    }
}

fn stream(api: Api, answer: &Answer) -> Reply {
    Reply {
        status: 200,
        is_stream: true,
        body: api.frames(answer, true).concat(),
        ..Reply::default()
    }
}

/// The beginning of a stream, up to the last whole frame in the first half.
fn half(api: Api, answer: &Answer) -> Reply {
    let frames = api.frames(answer, true);
    Reply {
        body: frames[..frames.len() / 2].concat(),
        ..stream(api, answer)
    }
}

fn refusal(status: u16) -> Reply {
    let error = json!({"error": {"message": "no", "type": "server_error"}});
    Reply {
        status,
        body: error.to_string(),
        ..Reply::default()
    }
}

fn judge(question: &Question, spelling: Spelling, reply: &Reply) -> Verdict {
    Oracle::default().judge(question, spelling, Instant::now(), reply)
}

#[test]
fn the_right_answer_is_right_in_each_form() {
    for (call, target) in [
        (Call::Chat, Target::OpenAi),
        (Call::Chat, Target::Anthropic),
        (Call::Message, Target::Anthropic),
    ] {
        let question = question(call, target);
        let answer = question.answer(CALLER);
        let whole = document(call.api(), &answer);
        assert_eq!(judge(&question, DOCUMENT, &whole), Verdict::Right);
        let parts = stream(call.api(), &answer);
        assert_eq!(judge(&question, STREAM, &parts), Verdict::Right);
    }
}

#[test]
fn another_answer_is_wrong() {
    let asked = chat();
    let mut other_topic = asked.clone();
    other_topic.topic += 1;
    let mut other_organization = asked.clone();
    other_organization.organization = Some(2);
    let right = asked.answer(CALLER);
    let mut other_count = right.clone();
    other_count.answer_tokens += 1;
    let mut one_word_less = right.clone();
    one_word_less.pieces.pop();
    for answer in [
        asked.answer(Some("key-of-bob")),
        asked.answer(None),
        other_topic.answer(CALLER),
        other_organization.answer(CALLER),
        right.clone().calling("call_1", "write", json!({})),
        right.after_thinking("something else"),
        other_count,
        one_word_less,
    ] {
        for (spelling, reply) in [
            (DOCUMENT, document(Api::OpenAi, &answer)),
            (STREAM, stream(Api::OpenAi, &answer)),
        ] {
            let verdict = judge(&asked, spelling, &reply);
            assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
        }
    }
}

#[test]
fn what_breaks_off_is_lost_unless_it_was_planned() {
    let mut asked = chat();
    let cut = half(Api::OpenAi, &asked.answer(CALLER));
    let verdict = judge(&asked, STREAM, &cut);
    assert!(matches!(verdict, Verdict::Lost(_)), "{verdict:?}");
    asked.fault = Some(Fault::Cut);
    let cut = half(Api::OpenAi, &asked.answer(CALLER));
    assert_eq!(judge(&asked, STREAM, &cut), Verdict::Planned);
    let cut = half(Api::OpenAi, &asked.answer(Some("key-of-bob")));
    let verdict = judge(&asked, STREAM, &cut);
    assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
}

#[test]
fn an_error_is_lost_unless_it_was_planned() {
    let mut asked = chat();
    for (fault, status, is_planned) in [
        (None, 500, false),
        (Some(Fault::TooMany), 429, true),
        (Some(Fault::TooMany), 500, false),
        (Some(Fault::Reset), 502, true),
    ] {
        asked.fault = fault;
        let verdict = judge(&asked, DOCUMENT, &refusal(status));
        let expected = verdict == Verdict::Planned;
        assert_eq!(expected, is_planned, "{fault:?} {status}: {verdict:?}");
    }
    asked.fault = Some(Fault::TooMany);
    let mut bare = refusal(429);
    "no".clone_into(&mut bare.body);
    let verdict = judge(&asked, DOCUMENT, &bare);
    assert!(matches!(verdict, Verdict::Lost(_)), "{verdict:?}");
}

#[test]
fn the_page_of_somebody_else_is_an_answer_to_nothing_else() {
    let mut asked = chat();
    let page = Reply {
        status: 200,
        body: PAGE.to_owned(),
        ..Reply::default()
    };
    let verdict = judge(&asked, DOCUMENT, &page);
    assert!(matches!(verdict, Verdict::Lost(_)), "{verdict:?}");
    asked.fault = Some(Fault::Page);
    assert_eq!(judge(&asked, DOCUMENT, &page), Verdict::Planned);
}

#[test]
fn half_a_document_is_lost_unless_it_was_planned() {
    let mut asked = chat();
    let mut half = document(Api::OpenAi, &asked.answer(CALLER));
    half.body.truncate(20);
    let verdict = judge(&asked, DOCUMENT, &half);
    assert!(matches!(verdict, Verdict::Lost(_)), "{verdict:?}");
    asked.fault = Some(Fault::Garbled);
    assert_eq!(judge(&asked, DOCUMENT, &half), Verdict::Planned);
}

#[test]
fn who_leaves_has_got_the_beginning_of_the_right_answer() {
    let asked = chat();
    let mut reply = half(Api::OpenAi, &asked.answer(CALLER));
    reply.left = true;
    assert_eq!(judge(&asked, STREAM, &reply), Verdict::Left);
    let mut reply = half(Api::OpenAi, &asked.answer(None));
    reply.left = true;
    let verdict = judge(&asked, STREAM, &reply);
    assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
}

#[test]
fn a_hit_of_the_engine_was_given_before() {
    let (oracle, asked) = (Oracle::default(), question(Call::Chat, Target::Engine));
    let judge = |text: &str, cache_status: &str| {
        let mut reply = document(Api::OpenAi, &Answer::text(text));
        cache_status.clone_into(&mut reply.cache_status);
        oracle.judge(&asked, DOCUMENT, Instant::now(), &reply)
    };
    assert_eq!(judge("seven", "deja; fwd=miss"), Verdict::Right);
    assert_eq!(judge("seven", "deja; hit"), Verdict::Right);
    let verdict = judge("eight", "deja; hit");
    assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
    assert_eq!(oracle.ambiguous(), 0);
    // Two tokens may be equally likely.
    assert_eq!(judge("eight", "deja; fwd=miss"), Verdict::Right);
    assert_eq!(judge("eight", "deja; hit"), Verdict::Right);
    assert_eq!(oracle.ambiguous(), 1);
}

#[test]
fn the_engine_may_fail_after_its_worker_was_killed() {
    let (oracle, asked) = (Oracle::default(), question(Call::Chat, Target::Engine));
    let judge = || oracle.judge(&asked, DOCUMENT, Instant::now(), &refusal(503));
    assert!(matches!(judge(), Verdict::Lost(_)));
    oracle.killed();
    assert_eq!(judge(), Verdict::Planned);
}
