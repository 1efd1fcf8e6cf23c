//! Writes a segment into the frame that came.

use zeroserve_ebpf::{
    bounds::opaque,
    load::{
        Departure,
        frame::{self, HEADER_BYTES, MAX_OPTION_BYTES, Options, SENT_AT},
    },
};
use zeroserve_shared::load::{Connection, Fault, Settings, Target};

use crate::packet::{Packet, bounded};

/// Makes the frame the segment. `target` is the connection's request.
#[inline(always)]
pub(crate) fn write(
    packet: Packet,
    settings: &Settings,
    connection: &Connection,
    departure: &Departure,
    target: &Target,
    options: &mut Options,
) -> Result<(), Fault> {
    let payload = if departure.asks { (target.request_bytes, target.request_sum) } else { (0, 0) };
    let (tuple, acknowledgment) = (connection.tuple, connection.receive_next);
    let added = frame::options(options, settings, departure, &connection.islands);
    let headers = frame::headers(settings, tuple, departure, acknowledgment, added, payload);
    let header_bytes = HEADER_BYTES + added.0;
    if !resize(packet, header_bytes + payload.0) || !packet.write_header_words(SENT_AT, headers) {
        return Err(Fault::NoRoom);
    }
    if let Some(option_bytes) = bounded(added.0, MAX_OPTION_BYTES) {
        // SAFETY: the length is within the bounds of the options.
        if !unsafe { packet.write_bytes(HEADER_BYTES, options.as_ptr().cast(), option_bytes) } {
            return Err(Fault::NoRoom);
        }
    }
    if departure.asks && !packet.write_request(header_bytes, &target.request, payload.0) {
        return Err(Fault::NoRoom);
    }
    Ok(())
}

/// Makes the frame so many bytes long: behind it, if there is room, which stays there for the next
/// time. A frame that the kernel's TCP has sent has no room but in front, which it brings anew.
#[inline(always)]
fn resize(packet: Packet, bytes: u32) -> bool {
    // Out of the optimiser's sight: it would subtract from `bytes` pointers, one after the other.
    let length = opaque(u64::from(packet.length())) as u32;
    packet.resize(bytes) || packet.extend_front(bytes.wrapping_sub(length) as i32)
}
