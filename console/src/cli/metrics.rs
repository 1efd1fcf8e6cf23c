//! `metrics`: what a server counts, for Prometheus.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use anyhow::anyhow;

use super::{Failure, instruments::MetricsArguments, output, record::interruption, running};
use crate::metrics::{Endpoint, Format, Reading};

/// How often somebody who ends it is listened to.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// Prints the metrics once, or offers them until somebody ends it.
pub(super) fn run(arguments: &MetricsArguments) -> Result<(), Failure> {
    let MetricsArguments { interface, listen, public, route_series } = arguments;
    let route_series = *route_series;
    if let Some(address) = listen {
        check(*address, *public)?;
    }
    let mut live = running::open(interface)?;
    let Some(address) = listen else {
        let reading = Reading::new(&mut live, route_series)?;
        return Ok(output::text(&Format::OpenMetrics.write(reading))?);
    };
    let endpoint = Endpoint::listen(*address)?;
    let interrupted = interruption()?;
    output::text(&format!("metrics of {interface} at http://{}/metrics\n", endpoint.address()?))?;
    let (interface, mut live) = (interface.clone(), Some(live));
    let source = move || {
        if let Some(Ok(reading)) = live.as_mut().map(|open| Reading::new(open, route_series)) {
            return Ok(reading);
        }
        // A server that was stopped may be back: then it is another, and opened anew.
        live = None;
        let open = live.insert(running::open(&interface)?);
        Reading::new(open, route_series)
    };
    let end = async move {
        while !interrupted.load(Ordering::Relaxed) {
            tokio::time::sleep(LISTEN_EVERY).await;
        }
    };
    Ok(endpoint.serve(source, end)?)
}

/// Refuses to be reached by other machines unless somebody wants that.
fn check(address: SocketAddr, public: bool) -> Result<(), Failure> {
    if public || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Failure::refused(
        "not-loopback",
        anyhow!(
            "{address} may be reached by other machines, and metrics are offered without encryption \
             or password; listen at 127.0.0.1:{port} or [::1]:{port}, or say --public",
            port = address.port()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_itself_comes_in_unless_somebody_says_otherwise() {
        for (address, inside) in [
            ("127.0.0.1:9180", true),
            ("127.9.9.9:1", true),
            ("[::1]:9180", true),
            ("[::ffff:127.0.0.1]:9180", true),
            ("0.0.0.0:9180", false),
            ("[::]:9180", false),
            ("198.18.0.1:9180", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(check(address, false).is_ok(), inside, "{address}");
            assert!(check(address, true).is_ok(), "{address}");
        }
    }
}
