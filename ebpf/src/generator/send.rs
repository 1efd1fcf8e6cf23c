//! Writes a segment into the frame that came.

use zeroserve_ebpf::{
    bounds::opaque,
    load::{
        Departure,
        frame::{Frame, HEADER_BYTES, MAX_OPTION_BYTES},
    },
};
use zeroserve_shared::load::{Connection, Fault, REQUEST_BYTES, Settings, Target};

use crate::packet::{Packet, bounded};

/// Makes the frame the segment. `target` is the connection's request.
#[inline(always)]
pub(crate) fn write(
    packet: Packet,
    settings: &Settings,
    connection: &Connection,
    departure: &Departure,
    target: &Target,
    frame: &mut Frame,
) -> Result<(), Fault> {
    let payload = if departure.asks { (target.request_bytes, target.request_sum) } else { (0, 0) };
    let (tuple, acknowledgment) = (connection.tuple, connection.receive_next);
    let islands = &connection.islands;
    let headers = frame.write(settings, tuple, departure, acknowledgment, islands, payload);
    if !resize(packet, headers + payload.0) {
        return Err(Fault::NoRoom);
    }
    let Some(header_bytes) = bounded(headers, HEADER_BYTES + MAX_OPTION_BYTES) else {
        return Err(Fault::NoRoom);
    };
    // SAFETY: the length is within the bounds of the frame's headers.
    if !unsafe { packet.write_bytes(0, frame.bytes(), header_bytes) } {
        return Err(Fault::NoRoom);
    }
    let Some(request_bytes) = bounded(payload.0, REQUEST_BYTES as u32) else {
        return Ok(());
    };
    // SAFETY: the length is within the bounds of the request.
    if unsafe { packet.write_bytes(headers, target.request.as_ptr(), request_bytes) } {
        Ok(())
    } else {
        Err(Fault::NoRoom)
    }
}

/// Makes the frame so many bytes long: behind it, if there is room, which stays there for the next
/// time. A frame that the kernel's TCP has sent has no room but in front, which it brings anew.
#[inline(always)]
fn resize(packet: Packet, bytes: u32) -> bool {
    // Out of the optimiser's sight: it would subtract from `bytes` pointers, one after the other.
    let length = opaque(u64::from(packet.length())) as u32;
    packet.resize(bytes) || packet.extend_front(bytes.wrapping_sub(length) as i32)
}
