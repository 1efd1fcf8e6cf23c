//! The table of keys itself.

use crossterm::event::KeyCode;

use super::{Action, Binding, Key, Scope, bind};
use crate::{record::Play, tui::model::Panel};

/// The panels.
pub(super) const PANELS: &[Scope] =
    &[Scope::Routes, Scope::Reasons, Scope::Rates, Scope::Cpus, Scope::Flows, Scope::Requests];
const LISTS: &[Scope] = &[
    Scope::Routes,
    Scope::Reasons,
    Scope::Flows,
    Scope::Requests,
    Scope::Issues,
    Scope::Staged,
    Scope::Undo,
    Scope::Picker,
    Scope::Reading,
    Scope::Cause,
];
/// The lists in which nothing can be typed.
const PLAIN_LISTS: &[Scope] = &[
    Scope::Routes,
    Scope::Reasons,
    Scope::Flows,
    Scope::Requests,
    Scope::Issues,
    Scope::Staged,
    Scope::Undo,
    Scope::Reading,
    Scope::Cause,
];
const EVERYWHERE: &[Scope] = &[
    Scope::Routes,
    Scope::Reasons,
    Scope::Rates,
    Scope::Cpus,
    Scope::Flows,
    Scope::Requests,
    Scope::Issues,
    Scope::Filter,
    Scope::Picker,
    Scope::Path,
    Scope::Confirm,
    Scope::Staged,
    Scope::Undo,
    Scope::Exit,
    Scope::Reading,
    Scope::Cause,
    Scope::Working,
    Scope::Palette,
];
const EVERYWHERE_BUT_EXIT: &[Scope] = &[
    Scope::Routes,
    Scope::Reasons,
    Scope::Rates,
    Scope::Cpus,
    Scope::Flows,
    Scope::Requests,
    Scope::Issues,
    Scope::Filter,
    Scope::Picker,
    Scope::Path,
    Scope::Confirm,
    Scope::Staged,
    Scope::Undo,
    Scope::Reading,
    Scope::Cause,
    Scope::Working,
    Scope::Palette,
];
/// Where a row can be copied.
const COPIED: &[Scope] =
    &[Scope::Routes, Scope::Reasons, Scope::Flows, Scope::Requests, Scope::Reading, Scope::Cause];
const CHOICES: &[Scope] = &[Scope::Confirm, Scope::Exit];

const UP: Key = Key::plain(KeyCode::Up);
const DOWN: Key = Key::plain(KeyCode::Down);
const LEFT: Key = Key::plain(KeyCode::Left);
const RIGHT: Key = Key::plain(KeyCode::Right);
const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);
const TAB: Key = Key::plain(KeyCode::Tab);
const BACK_TAB: Key = Key::plain(KeyCode::BackTab);

/// The table. Where two lines share a key in a scope, the first wins; a test says there are none.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    // What the footer shows first comes first.
    bind(&[Key::char('a')], Action::Add, &[Scope::Routes], "add", "Publish a file behind a new path."),
    bind(&[Key::char('r')], Action::Replace, &[Scope::Routes], "replace", "Put another file behind the selected path."),
    bind(&[Key::char('d')], Action::Remove, &[Scope::Routes], "remove", "Serve nothing behind the selected path any more."),
    bind(&[ENTER], Action::Enter, &[Scope::Routes], "details", "Show everything about the selected route, or fold the folder."),
    bind(&[ENTER], Action::Enter, &[Scope::Reasons], "explain", "Say what the selected reason means, what usually causes it and what to do."),
    bind(&[ENTER], Action::Enter, &[Scope::Issues], "explain", "Say what it means, what usually causes it and what to do."),
    bind(&[ENTER], Action::Enter, &[Scope::Flows], "its flows", "Show the flows of the selected client."),
    bind(&[ENTER], Action::Enter, &[Scope::Requests], "details", "Show everything about the selected request."),
    bind(&[Key::char('w')], Action::Export, &[Scope::Cause], "write pcapng", "Write the packets that were seen to a file for Wireshark."),
    bind(&[ENTER], Action::Enter, &[Scope::Picker], "open/choose", "Go into the folder, or choose the file."),
    bind(&[ENTER], Action::Enter, &[Scope::Path], "go on", "Read the file and show what will change."),
    bind(&[ENTER], Action::Enter, &[Scope::Palette], "do it", "Do what the command says."),
    bind(&[TAB], Action::Complete, &[Scope::Palette], "complete", "Complete what was typed."),
    bind(&[ENTER], Action::Enter, &[Scope::Filter], "keep filter", "Keep the filter and go back to the rows."),
    bind(&[Key::char('/')], Action::Filter, &[Scope::Routes], "filter", "Show only routes whose path contains what you type."),
    bind(&[Key::char('/')], Action::Filter, &[Scope::Requests], "filter", "Show only requests with what you type in them: addresses, paths, codes, refusals; several words must all be there."),
    bind(&[Key::char('s')], Action::Sort, &[Scope::Routes], "sort", "Sort by the next column. Rows follow it until they are frozen."),
    bind(&[Key::char('s')], Action::Sort, &[Scope::Flows], "sort", "Sort by the next column."),
    bind(&[Key::char('S')], Action::SortAgain, &[Scope::Routes], "", "Sort frozen rows by the same column again, with the values of now."),
    bind(&[Key::char('*')], Action::FoldAll, &[Scope::Routes], "", "Close all folders, or open them all."),
    bind(&[Key::char('t')], Action::AllReasons, &[Scope::Reasons], "all/counted", "Show every reason there is, or only those that were counted."),
    bind(&[Key::char('n')], Action::Outside, &[Scope::Reasons], "whose drop", "Compare what the network card, XDP and the kernel's own TCP/IP lost."),
    bind(&[LEFT, Key::char('h')], Action::Left, &[Scope::Rates], "", "Show the curve before."),
    bind(&[RIGHT, Key::char('l')], Action::Right, &[Scope::Rates], "next curve", "Show the next curve, where there is room for one only."),
    bind(&[Key::char('+'), Key::char('=')], Action::ZoomIn, &[Scope::Rates], "zoom in", "Show a shorter time in more detail."),
    bind(&[Key::char('-')], Action::ZoomOut, &[Scope::Rates], "zoom out", "Show a longer time."),
    bind(&[Key::char('y')], Action::Yes, &[Scope::Confirm, Scope::Staged, Scope::Undo], "do it", "Make the change, for good; u takes it back."),
    bind(&[Key::char('t')], Action::OnTrial, &[Scope::Confirm, Scope::Staged], "on trial", "Make the change for a minute: it is taken back unless somebody keeps it (K)."),
    bind(&[Key::char('s')], Action::Stage, &[Scope::Confirm], "stage", "Set the change aside, to be made together with others (c)."),
    bind(&[Key::char('x')], Action::Unstage, &[Scope::Staged], "unstage", "Forget the selected change."),
    bind(&[Key::char('l')], Action::LeaveServing, &[Scope::Exit], "leave it serving", "Leave the console; the kernel goes on serving."),
    bind(&[Key::char('s')], Action::Stop, &[Scope::Exit], "stop the server", "Detach the server and leave."),
    bind(&[LEFT, BACK_TAB], Action::Left, CHOICES, "", "Go to the choice on the left."),
    bind(&[RIGHT, TAB], Action::Right, CHOICES, "choose", "Go to the choice on the right."),
    bind(&[ENTER], Action::Enter, CHOICES, "", "Take the choice, unless it removes or stops something: that takes its letter."),
    bind(&[ENTER, Key::char('q')], Action::Cancel, &[Scope::Reading, Scope::Cause], "", "Close it."),
    bind(&[Key::char('q')], Action::Cancel, &[Scope::Issues], "", "Close it."),
    bind(&[Key::char('n'), Key::char('q'), ESC], Action::Cancel, CHOICES, "cancel", "Change nothing."),
    bind(&[Key::char('n'), Key::char('q'), ESC], Action::Cancel, &[Scope::Staged, Scope::Undo], "cancel", "Change nothing."),
    bind(&[ESC], Action::Cancel, PANELS, "", "Clear the filter, or the message."),
    bind(&[ESC], Action::Cancel, &[Scope::Filter], "clear", "Clear the filter."),
    bind(&[ESC], Action::Cancel, &[Scope::Picker, Scope::Path, Scope::Working, Scope::Palette], "cancel", "Change nothing."),
    bind(&[ESC], Action::Cancel, &[Scope::Reading, Scope::Cause, Scope::Issues], "close", "Close it."),
    bind(&[TAB], Action::NextPanel, PANELS, "panel", "Go to the next panel."),
    bind(&[BACK_TAB], Action::PreviousPanel, PANELS, "", "Go to the previous panel."),
    bind(&[Key::char('1')], Action::Show(Panel::Routes), PANELS, "", "Go to the routes."),
    bind(&[Key::char('2')], Action::Show(Panel::Reasons), PANELS, "", "Go to the reasons."),
    bind(&[Key::char('3')], Action::Show(Panel::Rates), PANELS, "", "Go to the rates."),
    bind(&[Key::char('4')], Action::Show(Panel::Cpus), PANELS, "", "Go to the CPUs."),
    bind(&[Key::char('5')], Action::Show(Panel::Flows), PANELS, "", "Go to the flows."),
    bind(&[Key::char('6')], Action::Show(Panel::Requests), PANELS, "", "Go to the requests: a sample of them, read only while you look."),
    bind(&[UP, Key::char('k')], Action::Up, PLAIN_LISTS, "", "Go up."),
    bind(&[DOWN, Key::char('j')], Action::Down, PLAIN_LISTS, "", "Go down."),
    bind(&[UP], Action::Up, &[Scope::Picker, Scope::Filter], "", "Go up."),
    bind(&[UP], Action::Up, &[Scope::Palette], "earlier", "Take the command before."),
    bind(&[DOWN], Action::Down, &[Scope::Palette], "", "Take the command after."),
    bind(&[DOWN], Action::Down, &[Scope::Picker, Scope::Filter], "", "Go down."),
    bind(&[Key::plain(KeyCode::PageUp)], Action::PageUp, LISTS, "", "Go up a page."),
    bind(&[Key::plain(KeyCode::PageDown)], Action::PageDown, LISTS, "", "Go down a page."),
    bind(&[Key::plain(KeyCode::Home)], Action::First, LISTS, "", "Go to the first row."),
    bind(&[Key::plain(KeyCode::End)], Action::Last, LISTS, "", "Go to the last row."),
    bind(&[Key::char('g')], Action::First, PLAIN_LISTS, "", "Go to the first row."),
    bind(&[Key::char('G')], Action::Last, PLAIN_LISTS, "", "Go to the last row."),
    bind(&[LEFT, Key::char('h')], Action::Left, &[Scope::Routes], "", "Close the folder, or go to the one around it."),
    bind(&[RIGHT, Key::char('l')], Action::Right, &[Scope::Routes], "", "Open the folder."),
    bind(&[LEFT], Action::Left, &[Scope::Picker], "folder above", "Go to the folder around this one."),
    bind(&[RIGHT, TAB], Action::Right, &[Scope::Picker], "", "Go into the folder."),
    bind(&[LEFT], Action::Left, &[Scope::Path, Scope::Palette], "", "Go a character left."),
    bind(&[RIGHT], Action::Right, &[Scope::Path, Scope::Palette], "", "Go a character right."),
    bind(&[Key::plain(KeyCode::Home)], Action::First, &[Scope::Path, Scope::Palette], "", "Go to the first character."),
    bind(&[Key::plain(KeyCode::End)], Action::Last, &[Scope::Path, Scope::Palette], "", "Go behind the last character."),
    bind(&[Key::plain(KeyCode::Backspace), Key::ctrl('h')], Action::Erase, &[Scope::Filter, Scope::Picker, Scope::Path, Scope::Palette], "", "Erase a character; with none left in the picker, go to the folder around this one."),
    bind(&[Key::ctrl('u')], Action::EraseAll, &[Scope::Filter, Scope::Picker, Scope::Path, Scope::Palette], "", "Erase all that was typed."),
    bind(&[Key::char(' ')], Action::Pause, PANELS, "pause", "Freeze the values on the screen, or let them go on. Counting goes on anyway."),
    bind(&[Key::char(' ')], Action::Play(Play::Pause), &[Scope::Replay], "pause", "Stop time, or let it go on."),
    bind(&[Key::char(','), Key::char('<')], Action::Play(Play::Back), &[Scope::Replay], "-10 s", "Go back ten seconds."),
    bind(&[Key::char('.'), Key::char('>')], Action::Play(Play::Forward), &[Scope::Replay], "+10 s", "Go forward ten seconds."),
    bind(&[Key::char('b')], Action::Play(Play::Begin), &[Scope::Replay], "begin", "Go to the beginning."),
    bind(&[Key::char('e')], Action::Play(Play::End), &[Scope::Replay], "end", "Go to the end."),
    bind(&[Key::char('x')], Action::Play(Play::Speed), &[Scope::Replay], "speed", "Play 1, 2, 10 or 60 times as fast."),
    bind(&[Key::char('q')], Action::Quit, &[Scope::Replay], "quit", "Leave the recording."),
    bind(&[Key::char('W')], Action::Save, PANELS, "", "Save the last minutes, which are always recorded, to a file that `zeroserve-tui replay` opens."),
    bind(&[Key::char('f')], Action::Freeze, PANELS, "", "Keep rows where they are although their values change, or let them go on."),
    bind(&[Key::char('i')], Action::Issues, PANELS, "issues", "List what is wrong, or may be."),
    bind(&[Key::char('c')], Action::Staged, PANELS, "", "Show the staged changes, to make them together or to forget them."),
    bind(&[Key::char('u')], Action::Undo, PANELS, "undo", "Take back what was done last; asks before."),
    bind(&[Key::char('K')], Action::Keep, PANELS, "", "Keep what is on trial."),
    bind(&[Key::char('L')], Action::Log, PANELS, "log", "Show what was done, with the commands that do the same."),
    bind(&[Key::char(':')], Action::Palette, PANELS, "command", "Type a command."),
    bind(&[Key::char('?')], Action::Help, PANELS, "help", "Show this page."),
    bind(&[Key::char('q')], Action::Quit, PANELS, "quit", "Leave the console: asks what becomes of the server."),
    bind(&[Key::ctrl('c')], Action::Quit, EVERYWHERE_BUT_EXIT, "", "Leave the console, from anywhere."),
    bind(&[Key::ctrl('c')], Action::LeaveServing, &[Scope::Exit], "", "Leave the console; the kernel goes on serving."),
    bind(&[Key::ctrl('z')], Action::Suspend, EVERYWHERE, "", "Put the console to sleep; fg wakes it."),
    bind(&[Key::char('y')], Action::Copy, COPIED, "", "Copy the selected row with its exact values, where the terminal allows that (OSC 52)."),
    bind(&[Key::char('m')], Action::Measure, PANELS, "", "Have the kernel measure what a packet costs, or no longer. Meanwhile every BPF program of the machine takes longer: in the demo a fifth less was served."),
    bind(&[Key::char('M')], Action::Mouse, PANELS, "", "Leave the mouse to the terminal, or take it again: a click selects, another opens, the wheel scrolls."),
    bind(&[Key::ctrl('l')], Action::Redraw, EVERYWHERE, "", "Draw everything again."),
];
