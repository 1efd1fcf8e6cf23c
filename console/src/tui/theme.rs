//! Colours, and how to do without.
//!
//! Nothing is told by colour alone. Views draw in Unicode and six of the terminal's own colours,
//! which stand for meanings; [`finish`] puts those of the theme in their place, and takes away what
//! the terminal cannot do or somebody does not want.

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier, Style},
};
use zeroserve_shared::reason::Severity;

/// Which colours are drawn in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Light text on a dark ground.
    #[default]
    Dark,
    /// Dark text on a light ground.
    Light,
    /// The terminal's own sixteen colours, as whoever set them up wants them.
    Terminal,
}

impl Theme {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Terminal];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Terminal => "terminal",
        }
    }

    /// What suits the terminal, as far as it says: `COLORFGBG` tells the ground, and one that has
    /// fewer colours than the themes need keeps its own.
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let many = variable("TERM").contains("256") || !variable("COLORTERM").is_empty();
        Self::suiting(many, &variable("COLORFGBG"))
    }

    fn suiting(many_colours: bool, colours: &str) -> Self {
        let ground = colours.rsplit(';').next().and_then(|ground| ground.parse::<u8>().ok());
        match (many_colours, ground) {
            (false, _) => Self::Terminal,
            // White, and the light grey that passes for it.
            (true, Some(7 | 15)) => Self::Light,
            (true, _) => Self::Dark,
        }
    }

    /// What is drawn instead of a colour that stands for a meaning, out of the 256 that nearly
    /// every terminal has. These are the same everywhere, unlike the first sixteen.
    fn colour(self, meaning: Color, is_ground: bool) -> Color {
        let [dark, light] = match (meaning, is_ground) {
            (Color::Reset, true) => [234, 231],
            (Color::Reset, false) => [252, 235],
            (Color::DarkGray, _) => [246, 241],
            (Color::Cyan, _) => [80, 24],
            (Color::Green, _) => [114, 22],
            (Color::Yellow, _) => [221, 94],
            (Color::Red, _) => [210, 124],
            (other, _) => return other,
        };
        match self {
            Self::Dark => Color::Indexed(dark),
            Self::Light => Color::Indexed(light),
            Self::Terminal => meaning,
        }
    }
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
pub(crate) const FAINT: Style = Style::new().fg(Color::DarkGray);
pub(crate) const ACCENT: Style = Style::new().fg(Color::Cyan);
pub(crate) const TITLE: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
pub(crate) const KEY: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
pub(crate) const GOOD: Style = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
pub(crate) const WARNING: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
pub(crate) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
pub(crate) const ALARM: Style =
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED);
pub(crate) const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
/// The selected row of a panel that has not the focus.
pub(crate) const MARKED: Style = Style::new().add_modifier(Modifier::UNDERLINED);
pub(crate) const REQUESTS: Style = Style::new().fg(Color::Cyan);
pub(crate) const BYTES: Style = Style::new().fg(Color::Green);
pub(crate) const DROPS: Style = Style::new().fg(Color::Red);
/// Where in a chart something was done.
pub(crate) const MARK: Style = Style::new().fg(Color::Yellow);

/// How a severity looks, with a sign for who sees no colours.
pub(crate) fn severity(severity: Severity) -> (&'static str, &'static str, Style) {
    match severity {
        Severity::Normal => ("·", "normal", FAINT),
        Severity::Refused => ("◆", "refused", WARNING),
        Severity::Fault => ("▲", "fault", BAD),
    }
}

/// Takes colours and Unicode away from what was drawn, where they are not wanted.
pub(crate) fn finish(buffer: &mut Buffer, ascii: bool, colour: bool, theme: Theme) {
    for cell in &mut buffer.content {
        if colour {
            cell.fg = theme.colour(cell.fg, false);
            cell.bg = theme.colour(cell.bg, true);
        } else {
            cell.fg = Color::Reset;
            cell.bg = Color::Reset;
            cell.underline_color = Color::Reset;
        }
        if ascii && !cell.symbol().is_ascii() {
            let plain = cell.symbol().chars().next().map_or(' ', plain);
            cell.set_char(plain);
        }
    }
}

/// What stands for a character on a terminal that has only ASCII.
fn plain(character: char) -> char {
    match character {
        '─' | '–' | '−' => '-',
        '│' | '‖' => '|',
        '×' => 'x',
        '╭' | '╮' | '╰' | '╯' | '┌' | '┐' | '└' | '┘' | '┼' | '├' | '┤' | '┬' | '┴' => {
            '+'
        }
        '●' | '◆' => '*',
        '▲' => '!',
        '○' => 'o',
        '·' | '•' => '.',
        '▸' | '→' | '›' => '>',
        '←' => '<',
        '▾' | '↓' => 'v',
        '↑' => '^',
        '…' => '~',
        '✓' => '+',
        '≠' => '!',
        '✗' => 'x',
        '▏' | '█' | '▁' => '_',
        '▂' => '.',
        '▃' => '-',
        '▄' => '=',
        '▅' => '+',
        '▆' => '*',
        '▇' => '#',
        '\u{2800}'..='\u{28ff}' => match (character as u32 - 0x2800).count_ones() {
            0 => ' ',
            1..=3 => '.',
            4..=6 => ':',
            _ => '#',
        },
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_suits_what_the_terminal_says_of_itself() {
        assert_eq!(Theme::suiting(true, "0;15"), Theme::Light);
        assert_eq!(Theme::suiting(true, "0;default;7"), Theme::Light);
        assert_eq!(Theme::suiting(true, "15;0"), Theme::Dark);
        assert_eq!(Theme::suiting(true, ""), Theme::Dark);
        assert_eq!(Theme::suiting(false, "0;15"), Theme::Terminal);
    }
}
