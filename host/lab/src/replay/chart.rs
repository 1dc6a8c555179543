//! Line charts as SVG, which read in the light and in the dark, alone and within a page.

use svg::{
    Document,
    node::element::{Circle, Group, Line, Polyline, Style, Text},
};

/// The drawing's own units; shown at most this large, they are pixels.
const WIDTH: f64 = 480.0;
const PLOT_HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
/// Room below the plot for the ticks and the axis's name.
const AXIS: f64 = 40.0;
/// The height of a line of the legend.
const LEGEND_LINE: f64 = 18.0;
/// What a character of the legend takes up at most.
const CHARACTER: f64 = 7.2;
/// Room for a tick's label.
const TICK: f64 = 58.0;

/// Colours that people with colour-blindness tell apart, each in the light and in the dark.
const COLOURS: [(&str, &str); 8] = [
    ("#2a78d6", "#3987e5"),
    ("#eb6834", "#d95926"),
    ("#1baf7a", "#199e70"),
    ("#b07800", "#c98500"),
    ("#d55181", "#d55181"),
    ("#4a3aa7", "#9085e9"),
    ("#e34948", "#e66767"),
    ("#008300", "#2fa84f"),
];

/// Lines of shares over something.
pub(super) struct Chart {
    /// What is along the bottom.
    pub(super) x_name: String,
    /// What goes up.
    pub(super) y_name: &'static str,
    /// How far apart things are along the bottom.
    pub(super) scale: Scale,
    /// Where something is written along the bottom.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) lines: Vec<Series>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// One line.
pub(super) struct Series {
    pub(super) name: String,
    /// Whether it is no policy but what can be reached at best.
    pub(super) bound: bool,
    /// What is along the bottom, and the share from 0 to 1.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether each point is shown.
    pub(super) dots: bool,
}

impl Chart {
    /// The drawing.
    pub(super) fn svg(&self) -> String {
        let legend = self.legend();
        let height = TOP + PLOT_HEIGHT + AXIS + legend.height;
        let mut drawing = Document::new()
            .set("viewBox", (0, 0, WIDTH, height))
            .set("class", "chart")
            .set("role", "img")
            .set(
                "aria-label",
                format!("{} over {}", self.y_name, self.x_name),
            )
            .add(Style::new(style()));
        drawing = drawing.add(self.grid());
        for (number, line) in self.lines.iter().enumerate() {
            drawing = drawing.add(self.line(number, line));
        }
        drawing.add(legend.drawing).to_string()
    }

    fn grid(&self) -> Group {
        let mut grid = Group::new();
        let (left, right) = (LEFT, WIDTH - RIGHT);
        for step in 0..=5_u8 {
            let share = f64::from(step) / 5.0;
            let y = self.y(share * self.top());
            let rule = rule((left, y), (right, y)).set("class", "rule");
            let label = format!("{:.0}%", share * self.top() * 100.0);
            let label = text(&label, left - 6.0, y + 4.0).set("text-anchor", "end");
            grid = grid.add(rule).add(label);
        }
        let mut free = f64::MIN;
        for (value, label) in &self.ticks {
            let x = self.x(*value);
            let bottom = TOP + PLOT_HEIGHT;
            grid = grid.add(rule((x, bottom), (x, bottom + 4.0)).set("class", "rule"));
            if x - TICK / 2.0 >= free {
                let label = text(label, x, bottom + 17.0).set("text-anchor", "middle");
                grid = grid.add(label);
                free = x + TICK / 2.0 - 8.0;
            }
        }
        let middle = left.midpoint(right);
        let name = text(&self.x_name, middle, TOP + PLOT_HEIGHT + 34.0);
        grid.add(name.set("text-anchor", "middle"))
    }

    fn line(&self, number: usize, series: &Series) -> Group {
        let place = |(x, share): &(f64, f64)| (self.x(*x), self.y(*share));
        let points: Vec<_> = series.points.iter().map(place).collect();
        let path: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let mut line = Group::new().set("class", class(number, series));
        line = line.add(Polyline::new().set("points", path.join(" ")));
        for (x, y) in points.into_iter().filter(|_| series.dots) {
            line = line.add(dot(x, y));
        }
        line
    }

    fn legend(&self) -> Legend {
        let mut drawing = Group::new();
        let (mut x, mut y) = (LEFT, TOP + PLOT_HEIGHT + AXIS + 12.0);
        for (number, series) in self.lines.iter().enumerate() {
            let width = 40.0 + series.name.chars().map(|_| CHARACTER).sum::<f64>();
            if x > LEFT && x + width > WIDTH {
                (x, y) = (LEFT, y + LEGEND_LINE);
            }
            let key = Polyline::new().set(
                "points",
                format!("{x},{} {},{}", y - 4.0, x + 20.0, y - 4.0),
            );
            let key = Group::new().set("class", class(number, series)).add(key);
            drawing = drawing.add(key).add(text(&series.name, x + 26.0, y));
            x += width;
        }
        Legend {
            drawing,
            height: y + LEGEND_LINE - (TOP + PLOT_HEIGHT + AXIS) - 8.0,
        }
    }

    /// The share at the top: a round one that is not below any point.
    fn top(&self) -> f64 {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let most = points.map(|(_, share)| *share).fold(0.0, f64::max);
        let round = [0.05, 0.1, 0.25, 0.5];
        round.into_iter().find(|top| most <= *top).unwrap_or(1.0)
    }

    fn x(&self, value: f64) -> f64 {
        let (least, most) = self.range();
        let place = match self.scale {
            Scale::Linear => (value - least) / (most - least),
            Scale::Logarithmic => (value / least).ln() / (most / least).ln(),
        };
        // A single value stands at the left, where its division by nothing is none.
        let place = if place.is_finite() { place } else { 0.0 };
        LEFT + place * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, share: f64) -> f64 {
        TOP + PLOT_HEIGHT * (1.0 - share / self.top())
    }

    fn range(&self) -> (f64, f64) {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.fold((f64::MAX, f64::MIN), |(least, most), (x, _)| {
            (least.min(*x), most.max(*x))
        })
    }
}

struct Legend {
    drawing: Group,
    height: f64,
}

fn class(number: usize, series: &Series) -> String {
    if series.bound {
        return "line bound".to_owned();
    }
    let (colour, again) = (number % COLOURS.len(), number / COLOURS.len());
    format!("line c{colour} again{}", again.min(1))
}

fn dot(x: f64, y: f64) -> Circle {
    Circle::new()
        .set("cx", format!("{x:.1}"))
        .set("cy", format!("{y:.1}"))
        .set("r", 3)
}

fn rule(from: (f64, f64), to: (f64, f64)) -> Line {
    Line::new()
        .set("x1", format!("{:.1}", from.0))
        .set("y1", format!("{:.1}", from.1))
        .set("x2", format!("{:.1}", to.0))
        .set("y2", format!("{:.1}", to.1))
}

fn text(words: &str, x: f64, y: f64) -> Text {
    Text::new(words)
        .set("x", format!("{x:.1}"))
        .set("y", format!("{y:.1}"))
}

fn style() -> String {
    let colour = |(number, colour): (usize, &str)| format!(".chart .c{number}{{color:{colour}}}");
    let light = COLOURS.map(|(light, _)| light).into_iter().enumerate();
    let light: Vec<_> = light.map(colour).collect();
    let dark = COLOURS.map(|(_, dark)| dark).into_iter().enumerate();
    let dark: Vec<_> = dark.map(colour).collect();
    let (light, dark) = (light.concat(), dark.concat());
    let paper = |ink: &str, rule: &str, bound: &str| {
        format!(
            ".chart text{{fill:{ink}}}.chart .rule{{stroke:{rule}}}.chart .bound{{color:{bound}}}"
        )
    };
    format!(
        ".chart text{{font:12px system-ui,sans-serif}}.chart .line{{fill:none;stroke:currentColor;stroke-width:2;\
         stroke-linejoin:round}}.chart .line circle{{fill:currentColor;stroke:none}}\
         .chart .bound{{stroke-dasharray:2 4}}.chart .again1{{stroke-dasharray:8 4}}{}{}\
         @media (prefers-color-scheme:dark){{{}{}}}@media print{{{}{}}}",
        paper("#3d3d3a", "#dcdbd6", "#77766f"),
        light,
        paper("#d5d4cd", "#3f3e3a", "#a3a29a"),
        dark,
        paper("#000", "#ccc", "#666"),
        light,
    )
}
