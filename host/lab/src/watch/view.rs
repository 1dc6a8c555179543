//! The screen.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Paragraph, Row, Sparkline, Table},
};

use super::{
    Board,
    lines::{backend, held, rate, trouble},
};
use crate::{
    live::{Latencies, Live, Outcomes, Percentiles},
    units::{count, long_time, time_or_dash},
};

/// Draws what is known.
pub(super) fn draw(board: &Board, frame: &mut Frame<'_>) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(heading(board), head);
    if let Some(live) = board.live() {
        draw_live(board, live, frame, body);
    }
    frame.render_widget(Line::from(" q quits").dim(), foot);
}

fn draw_live(board: &Board, live: &Live, frame: &mut Frame<'_>, area: Rect) {
    let backends = u16::try_from(live.backends.len()).unwrap_or(u16::MAX);
    let [curve, middle, backends, plugins] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Length(9),
        Constraint::Length(backends.saturating_add(2)),
        Constraint::Fill(1),
    ])
    .areas(area);
    let [requests, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
    let [latencies, cache] =
        Layout::vertical([Constraint::Length(5), Constraint::Length(4)]).areas(right);
    hit_rate(board, live, frame, curve);
    frame.render_widget(requests_table(board, live), requests);
    frame.render_widget(latency_table(live.latency_ms), latencies);
    frame.render_widget(cache_lines(live), cache);
    frame.render_widget(backend_lines(live), backends);
    frame.render_widget(plugin_table(live), plugins);
}

fn titled(title: &str) -> Block<'_> {
    Block::bordered().title(format!(" {title} "))
}

fn heading(board: &Board) -> Line<'_> {
    let url = format!(" Deja at {}: ", board.url()).bold();
    let state = match (board.trouble(), board.live()) {
        (Some(trouble), _) => format!("trying again: {trouble}").red(),
        (None, None) => "looking".dim(),
        (None, Some(live)) if live.status == "ok" => "ok".green(),
        (None, Some(live)) => Span::from(&live.status).yellow(),
    };
    Line::from(vec![url, state])
}

/// The curve, where every column is a look, and the latest is at the right.
fn hit_rate(board: &Board, live: &Live, frame: &mut Frame<'_>, area: Rect) {
    let now = rate(board.hit_rate_now());
    let ever = rate(live.requests.hit_rate());
    let title = format!("Hit rate {now} now, {ever} since the start");
    let rates = board.hit_rates();
    let columns = usize::from(area.width.saturating_sub(2));
    let shown = &rates[rates.len().saturating_sub(columns)..];
    let missing = columns - shown.len();
    let bars = std::iter::repeat_n(None, missing).chain(shown.iter().copied());
    let curve = Sparkline::default()
        .data(bars.collect::<Vec<Option<u64>>>())
        .max(100)
        .style(Style::new().fg(Color::Green))
        .absent_value_symbol(" ")
        .block(titled(&title));
    frame.render_widget(curve, area);
}

fn requests_table<'a>(board: &Board, live: &Live) -> Table<'a> {
    let heading = Row::new(["", "since start", "per second"]).dim();
    let named = live.requests.named().into_iter().enumerate();
    let rows = named.map(|(at, (name, number))| {
        let of_this = |requests: Outcomes| requests.named()[at].1;
        let per_second = board.requests_per_second(of_this);
        let row = Row::new([name.to_owned(), count(number), format!("{per_second:.1}")]);
        if name == "error" && per_second > 0.0 {
            row.red()
        } else {
            row
        }
    });
    let title = format!("Requests, {} in flight", live.in_flight);
    let widths = [10, 11, 10].map(Constraint::Length);
    Table::new(rows, widths)
        .header(heading)
        .block(Block::bordered().title(format!(" {title} ")))
}

fn latency_table<'a>(latencies: Option<Latencies>) -> Table<'a> {
    let heading = Row::new(["", "p50", "p95", "p99"]).dim();
    let row = |name: &str, times: Percentiles| {
        let [p50, p95, p99] = [times.p50, times.p95, times.p99].map(time_or_dash);
        Row::new([name.to_owned(), p50, p95, p99])
    };
    let rows = latencies.map(|times| [row("hit", times.hit), row("miss", times.miss)]);
    let widths = [5, 9, 9, 9].map(Constraint::Length);
    Table::new(rows.into_iter().flatten(), widths)
        .header(heading)
        .block(titled("Latency since the start"))
}

fn cache_lines<'a>(live: &Live) -> Paragraph<'a> {
    let saved = live.saved.map(|saved| {
        let tokens = count(saved.prompt_tokens.saturating_add(saved.output_tokens));
        format!("saved {}, {tokens} tokens", long_time(saved.seconds))
    });
    let lines = [Some(held(live)), saved].into_iter().flatten();
    let lines: Vec<_> = lines.map(Line::from).collect();
    Paragraph::new(lines).block(titled("Cache"))
}

fn backend_lines<'a>(live: &Live) -> Paragraph<'a> {
    let lines = live.backends.iter().map(|of| Line::from(backend(of)));
    Paragraph::new(lines.collect::<Vec<_>>()).block(titled("Backends"))
}

fn plugin_table<'a>(live: &Live) -> Table<'a> {
    let heading = Row::new(["kind", "name", "calls", "failures", ""]).dim();
    let rows = live.plugins.iter().map(|plugin| {
        let row = Row::new([
            plugin.kind.clone(),
            plugin.name.clone(),
            count(plugin.calls),
            count(plugin.failures),
            trouble(plugin).unwrap_or_default(),
        ]);
        match plugin.breaker.as_str() {
            "closed" => row,
            "open" => row.red(),
            _ => row.yellow(),
        }
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Length(20),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Fill(1),
    ];
    Table::new(rows, widths)
        .header(heading)
        .block(titled("Plugins"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::watch::testing::{busy, unreachable};

    fn drawn(board: &Board, width: u16, height: u16) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is memory");
        terminal
            .draw(|frame| draw(board, frame))
            .expect("it is memory");
        terminal.backend().clone()
    }

    fn watched() -> Board {
        let mut board = Board::new("http://127.0.0.1:8081");
        let mut live = busy();
        board.update(Ok(live.clone()), Duration::from_secs(1));
        for (hit, miss) in [(0, 8), (2, 6), (4, 4), (0, 0), (6, 2), (8, 0)] {
            live.requests.hit += hit;
            live.requests.miss += miss;
            board.update(Ok(live.clone()), Duration::from_secs(1));
        }
        board
    }

    #[test]
    fn a_busy_server_fits_the_usual_terminal() {
        insta::assert_snapshot!(drawn(&watched(), 80, 24));
    }

    #[test]
    fn a_lost_server_leaves_what_was_known() {
        let mut board = watched();
        board.update(Err(unreachable()), Duration::from_secs(1));
        let screen = drawn(&board, 100, 30).to_string();
        assert!(screen.contains("trying again"), "{screen}");
        assert!(screen.contains("claude-code"), "{screen}");
    }

    #[test]
    fn the_smallest_terminals_are_survived() {
        for (width, height) in [(1, 1), (2, 9), (9, 2), (20, 10)] {
            drawn(&watched(), width, height);
            drawn(&Board::new(""), width, height);
        }
    }
}
