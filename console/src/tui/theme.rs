//! Colours, and how to do without: the terminal's own sixteen, so that its theme is respected.
//!
//! Nothing is told by colour alone. Views draw in colour and Unicode; [`finish`] takes away, in
//! one place, what the terminal cannot do or somebody does not want.

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier, Style},
};
use zeroserve_shared::reason::Severity;

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

/// How a severity looks, with a sign for who sees no colours.
pub(crate) fn severity(severity: Severity) -> (&'static str, &'static str, Style) {
    match severity {
        Severity::Normal => ("·", "normal", FAINT),
        Severity::Refused => ("◆", "refused", WARNING),
        Severity::Fault => ("▲", "fault", BAD),
    }
}

/// Takes colours and Unicode away from what was drawn, where they are not wanted.
pub(crate) fn finish(buffer: &mut Buffer, ascii: bool, colour: bool) {
    for cell in &mut buffer.content {
        if !colour {
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
        '▏' | '█' => '_',
        '\u{2800}'..='\u{28ff}' => match (character as u32 - 0x2800).count_ones() {
            0 => ' ',
            1..=3 => '.',
            4..=6 => ':',
            _ => '#',
        },
        _ => '?',
    }
}
