//! Plays a case against a server.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};

use super::{Case, Expected, Known};
use crate::exchange::{End, Peer};

/// Asked for behind a case, to see whether the connection can still be used.
const PROBE: &[u8] = b"GET /small.txt HTTP/1.1\r\nHost: lab\r\n\r\n";

/// Cases are played over connections to this server.
pub struct Player<'a> {
    /// Where the server is.
    pub address: SocketAddr,
    /// What is known of it.
    pub known: &'a Known,
    /// The answer to the probe.
    pub probe: Expected,
    /// A connection that the case before has left usable.
    kept: Option<Peer>,
}

impl<'a> Player<'a> {
    /// A player without a connection.
    pub fn new(address: SocketAddr, known: &'a Known, probe: Expected) -> Self {
        Self { address, known, probe, kept: None }
    }

    /// Plays a case on a connection of its own, its request in one piece.
    ///
    /// # Errors
    ///
    /// Where anything is not as it must be.
    pub fn whole(&mut self, case: &Case) -> Result<()> {
        self.kept = None;
        self.play(case, &[])
    }

    /// Plays a case, its request cut in pieces before these of its bytes, in rising order. The
    /// connection that the case before left is used again, where it left one.
    ///
    /// # Errors
    ///
    /// As for [`Player::whole`].
    pub fn play(&mut self, case: &Case, cuts: &[usize]) -> Result<()> {
        let sends = self.known.fill(&case.sends)?;
        let mut peer = match self.kept.take() {
            Some(peer) => peer,
            None => Peer::connect(self.address)?,
        };
        // A refusal may come, and the connection end, before everything is sent.
        let mut sent = peer.send(pieces(&sends, cuts));
        if case.fin {
            sent = sent.and_then(|()| peer.finish());
        }
        for (index, expected) in case.answers.iter().enumerate() {
            let last = index + 1 == case.answers.len();
            // The end of what is sent may come behind the request, when its answer has begun.
            let closes = if last && case.fin { None } else { Some(last && !case.kept) };
            self.hear(&mut peer, expected, closes)
                .with_context(|| format!("answer {} of {}", index + 1, case.answers.len()))?;
        }
        if !case.kept {
            let end = peer.end()?;
            // RFC 9112 section 9.6: what came behind the refusal may have been answered by a reset.
            let may_reset = !cuts.is_empty();
            ensure!(end == End::Closed || may_reset, "the connection was reset, not closed");
            return Ok(());
        }
        sent.context("the connection broke")?;
        peer.send([PROBE]).context("the connection was not kept")?;
        let probe = self.probe.clone();
        self.hear(&mut peer, &probe, Some(false))
            .context("what was asked for on the kept connection")?;
        self.kept = Some(peer);
        Ok(())
    }

    fn hear(&self, peer: &mut Peer, expected: &Expected, closes: Option<bool>) -> Result<()> {
        if let Some(raw) = &expected.raw {
            let came = peer.bytes(raw.len())?;
            if came != *raw {
                bail!("{} came", came.escape_ascii());
            }
            return Ok(());
        }
        let has_body = !matches!(expected.body, super::Body::None);
        let answer = peer.answer(has_body)?;
        self.known.compare(expected, &answer, closes)
    }
}

/// The bytes, cut before each of these positions that lies within them.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for cut in cuts.iter().copied().filter(|cut| *cut < bytes.len()) {
        if cut > start {
            pieces.push(&bytes[start..cut]);
            start = cut;
        }
    }
    pieces.push(&bytes[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_of_the_bytes_and_none_is_empty() {
        assert_eq!(pieces(b"abcd", &[]), [b"abcd"]);
        assert_eq!(pieces(b"abcd", &[1, 3]), [&b"a"[..], b"bc", b"d"]);
        assert_eq!(pieces(b"abcd", &[0, 2, 2, 4, 9]), [b"ab", b"cd"]);
    }
}
