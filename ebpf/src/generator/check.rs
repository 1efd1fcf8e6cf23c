//! Compares what comes with what is expected: the status line and the end of the head of every
//! response, and each byte of the body of some.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{bounds::opaque, words};
use zeroserve_shared::load::{Connection, Fault, STATUS_BYTES, Target, hash_byte};

use crate::{
    maps::{BUFFER_BYTES, SCRATCH},
    packet::Packet,
};

/// What a head ends with.
const BLANK_LINE: u32 = u32::from_be_bytes(*b"\r\n\r\n");

/// Checks the first segment of a response, whose `bytes` lie at `offset` in the frame, and finds
/// out how long the response is.
#[inline(always)]
pub(crate) fn head(
    packet: Packet,
    connection: &mut Connection,
    target: &Target,
    offset: u32,
    bytes: u32,
) -> Result<(), Fault> {
    // The two words overlap.
    let (Some(first), Some(second)) = (packet.word(offset), packet.word(offset + 4)) else {
        return Err(Fault::Head);
    };
    const { assert!(STATUS_BYTES == 12) };
    let status = target.status.as_ptr();
    // SAFETY: both words lie in the twelve bytes.
    let expected = unsafe { (words::load(status), words::load(status.add(4))) };
    if first != expected.0 || second != expected.1 {
        return Err(Fault::Status);
    }
    let mut head_bytes = target.head_bytes;
    if !ends_head(packet, offset, bytes, head_bytes) {
        head_bytes = zeroserve_load_find_head(packet.context(), offset, bytes);
        if head_bytes == 0 {
            return Err(Fault::Head);
        }
    }
    connection.head_bytes = head_bytes;
    connection.response_bytes = head_bytes + target.body_bytes;
    Ok(())
}

/// Whether a head of so many bytes ends with a blank line.
#[inline(always)]
fn ends_head(packet: Packet, offset: u32, bytes: u32, head_bytes: u32) -> bool {
    head_bytes > STATUS_BYTES as u32
        && head_bytes <= bytes
        && packet
            .word(offset + head_bytes - 8)
            .is_some_and(|word| (word >> 32) as u32 == BLANK_LINE.to_be())
}

/// How many bytes the head has that begins at `offset`; zero if it does not end in this frame. A
/// function of its own, because the verifier follows every round of its loop.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_load_find_head(context: *mut xdp_md, offset: u32, bytes: u32) -> u32 {
    let Some(buffer) = payload(context, offset, bytes) else {
        return 0;
    };
    let mut last = 0u32;
    let mut index = 0;
    // Both bounds are kept apart: made one, it would be compared for equality, from which Linux 6.1 does not
    // learn that the loop ends.
    while index < BUFFER_BYTES {
        if opaque(index as u64) >= u64::from(bytes) {
            return 0;
        }
        last = last << 8 | u32::from(buffer[index]);
        index += 1;
        if last == BLANK_LINE {
            return index as u32;
        }
    }
    0
}

/// Adds bytes of the body, `bytes` from `offset` on, to the connection's hash.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn zeroserve_load_hash(
    context: *mut xdp_md,
    connection: *mut Connection,
    offset: u32,
    bytes: u32,
) -> u32 {
    // SAFETY: the caller passes an element of the map of connections; the verifier has it checked
    // for null.
    let Some(connection) = (unsafe { connection.as_mut() }) else {
        return 0;
    };
    let Some(buffer) = payload(context, offset, bytes) else {
        return 0;
    };
    let mut hash = connection.hash;
    let mut index = 0;
    while index < BUFFER_BYTES {
        if index as u32 >= bytes {
            break;
        }
        hash = hash_byte(hash, buffer[index]);
        index += 1;
    }
    connection.hash = hash;
    0
}

/// Copies a part of the frame to where the verifier lets a loop walk over it.
#[inline(always)]
fn payload(context: *mut xdp_md, offset: u32, bytes: u32) -> Option<&'static [u8; BUFFER_BYTES]> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the element is this CPU's own; the caller keeps no reference to the buffer.
    let buffer = unsafe { &mut (*scratch).buffer };
    Packet::new(context).read_bytes(offset, bytes, buffer).then_some(&*buffer)
}
