//! `config print` and `config check`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Failure, arguments::OutputArguments, output, serve};
use crate::{
    content::{Config, RenderError, Rendered, RoutePath, config::EXAMPLE},
    promote::RULES_EXAMPLE,
    tui,
};

/// A file that somebody may write.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ConfigFile {
    /// What is served, and how; for --config
    #[default]
    Site,
    /// How the console looks; ~/.config/zeroserve/console.toml
    Console,
    /// What is promoted by itself; for promote --rules
    Rules,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print a config file with every key, each explained
    Print {
        /// What is served, how the console looks, or what is promoted
        #[arg(value_enum, default_value_t)]
        which: ConfigFile,
    },
    /// Read a config file and its folders, and say what would be served
    Check {
        /// Config file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArguments,
    },
}

/// Prints an example, or says what a config file would serve.
pub(super) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    let (file, json) = match command {
        ConfigCommand::Print { which: ConfigFile::Site } => return Ok(output::text(EXAMPLE)?),
        ConfigCommand::Print { which: ConfigFile::Console } => {
            return Ok(output::text(tui::PREFERENCES)?);
        }
        ConfigCommand::Print { which: ConfigFile::Rules } => {
            return Ok(output::text(RULES_EXAMPLE)?);
        }
        ConfigCommand::Check { file, output } => (file, output.json),
    };
    let (site, ..) = serve::look_through(&Config::read(file)?)?;
    let rendered: Vec<_> = site.render().collect();
    if json {
        let routes: Vec<Value> = rendered.iter().map(document).collect();
        return Ok(output::json(&json!({ "routes": routes, "skipped": site.skipped }))?);
    }
    let mut text = String::new();
    for (path, rendered) in &rendered {
        text += &match rendered {
            Ok(rendered) => {
                let bytes = output::bytes(rendered.body_bytes().into());
                format!("{} {:<60} {bytes:>10}  {}\n", rendered.status, path, rendered.content_type)
            }
            Err(error) => format!("not served: {error}\n"),
        };
    }
    for reason in &site.skipped {
        text += &format!("not served: {reason}\n");
    }
    Ok(output::text(&text)?)
}

fn document((path, rendered): &(RoutePath, Result<Rendered, RenderError>)) -> Value {
    match rendered {
        Ok(rendered) => {
            let variants = rendered.variants.iter();
            let variants = variants.map(|one| (one.encoding.name(), one.body_bytes()));
            json!({
                "path": path.as_str(),
                "status": rendered.status,
                "content_type": rendered.content_type,
                "body_bytes": rendered.body_bytes(),
                "encodings": output::encodings(variants),
            })
        }
        Err(error) => json!({ "path": path.as_str(), "error": error.to_string() }),
    }
}
