//! How the console looks, as a person can say it on the command line.

use clap::Args;

use super::{Options, Theme, preferences::Preferences};
use crate::content::ConfigError;

/// How the console is drawn, and whether it takes the mouse.
#[derive(Args, Clone, Debug, Default)]
pub struct DisplayArguments {
    /// Draw the console with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// Colours to draw the console in [default: what suits the terminal]; with the environment
    /// variable NO_COLOR set there are none
    #[arg(long, value_enum, hide_possible_values = false)]
    pub theme: Option<Theme>,
    /// Leave the mouse to the terminal, so that it selects text without the shift key
    #[arg(long)]
    pub no_mouse: bool,
}

impl DisplayArguments {
    /// The options with what somebody said of them: here, else in `console.toml`.
    ///
    /// # Errors
    ///
    /// Where that file cannot be read, or makes no sense.
    pub fn apply(&self, options: Options) -> Result<Options, ConfigError> {
        let Preferences { theme, ascii, mouse } = Preferences::read()?;
        Ok(Options {
            ascii: self.ascii || ascii,
            theme: self.theme.or(theme).unwrap_or(options.theme),
            mouse: !self.no_mouse && mouse.unwrap_or(options.mouse),
            ..options
        })
    }
}
