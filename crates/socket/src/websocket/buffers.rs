//! Buffers that the connections of a thread share.

use std::cell::RefCell;

/// One read takes at most this much.
const INPUT: usize = 256 * 1024;

/// An output buffer that has grown beyond this is given back to the allocator.
const OUTPUT_KEPT: usize = 1024 * 1024;

thread_local! {
    static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers { input: Vec::new(), output: Vec::new() }) };
}

#[derive(Default)]
struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

/// Runs `turn` with the thread's input buffer. A turn within a turn gets a buffer of its own.
pub(crate) fn with_input<T>(turn: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut input = BUFFERS.with_borrow_mut(|buffers| std::mem::take(&mut buffers.input));
    if input.is_empty() {
        input = vec![0; INPUT];
    }
    let result = turn(&mut input);
    BUFFERS.with_borrow_mut(|buffers| buffers.input = input);
    result
}

/// The thread's output buffer, to be lent to a connection for a turn.
pub(super) fn take_output() -> Vec<u8> {
    BUFFERS.with_borrow_mut(|buffers| std::mem::take(&mut buffers.output))
}

/// Gives the output buffer back.
pub(super) fn give_output(output: Vec<u8>) {
    if output.capacity() <= OUTPUT_KEPT {
        BUFFERS.with_borrow_mut(|buffers| {
            if output.capacity() > buffers.output.capacity() {
                buffers.output = output;
            }
        });
    }
}
