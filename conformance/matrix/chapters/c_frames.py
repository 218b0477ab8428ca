"""C, frames: lengths, masks, reserved bits, opcodes, control frames (§5.2, §5.3, §5.5)."""

from case import Chapter, Wrong
from chapters.rows import echoes, fails, same
from frame import BINARY, CLOSE, CONTINUATION, NAMES, PING, PONG, TEXT, Frame, binary, close, last, more, ping, pong, text

CHAPTER = Chapter("C")

# 37, minimal lengths. The MUST is the sender's; that a receiver holds it to that is strictness.
for size in (0, 1, 124, 125, 126, 127, 128, 65535, 65536, 65537, 300000):
    message = binary(bytes(n * 7 & 0xFF for n in range(size)))
    echoes(CHAPTER, f"binary-of-{size}", 37, "§5.2", f"A message of {size} bytes comes back.", message,
           back=same(message))
for size in (0, 1, 125, 126, 65535, 65536):
    message = text("x" * size)
    echoes(CHAPTER, f"text-of-{size}", 37, "§5.2", f"A text of {size} bytes comes back.", message, back=same(message))
for form, sizes in ((16, (0, 1, 125)), (64, (0, 1, 125, 126, 65535))):
    for size in sizes:
        fails(CHAPTER, f"length-{size}-in-{form}-bits", 37, "§5.2",
              f"The length {size} must not be sent in {form} bits: lengths are minimal.",
              binary(bytes(size), form=form), needs=["strict"])
fails(CHAPTER, "wide-length-on-continuation", 37, "§5.2", "Lengths of continuation frames are minimal too.",
      text("a", fin=False), more("b", form=16), needs=["strict"])
fails(CHAPTER, "wide-length-header-only", 37, "§5.2", "A length that is not minimal fails before its payload comes.",
      binary(form=64, length=100), needs=["strict"])

# 38, the most significant bit.
for name, length in (("2-to-63", 1 << 63), ("2-to-63-and-1", (1 << 63) + 1), ("all-ones", (1 << 64) - 1)):
    fails(CHAPTER, f"length-{name}", 38, "§5.2", "The most significant bit of a 64-bit length must be 0.",
          binary(form=64, length=length), codes=(1002, 1009))
for name, length in (("2-to-62", 1 << 62), ("2-to-63-less-1", (1 << 63) - 1), ("2-to-48", 1 << 48)):
    fails(CHAPTER, f"length-{name}", 38, "§7.4.1", "A frame too big to be taken is refused when its header has come.",
          binary(form=64, length=length), codes=(1009,))

# 39, the direction of masks. §5.1 lets the Close be left out here.
MASK_CODES = (1002, None)
for opcode, payload in ((TEXT, b"hello"), (BINARY, b""), (PING, b"p"), (PONG, b""), (CLOSE, b"\x03\xe8")):
    fails(CHAPTER, f"unmasked-{NAMES[opcode]}", 39, "§5.1", f"A server fails on an unmasked {NAMES[opcode]} frame.",
          Frame(opcode, payload, masked=False), codes=MASK_CODES, on=("server",))
    fails(CHAPTER, f"masked-{NAMES[opcode]}", 39, "§5.1", f"A client fails on a masked {NAMES[opcode]} frame.",
          Frame(opcode, payload, masked=True), codes=MASK_CODES, on=("client",))
fails(CHAPTER, "unmasked-continuation", 39, "§5.1", "A server fails on an unmasked continuation.",
      text("a", fin=False), more("b", masked=False), codes=MASK_CODES, on=("server",))
fails(CHAPTER, "masked-continuation", 39, "§5.1", "A client fails on a masked continuation.",
      text("a", fin=False), more("b", masked=True), codes=MASK_CODES, on=("client",))
fails(CHAPTER, "unmasked-says-why", 39, "§5.1", "The Close 1002 for an unmasked frame is sent.",
      text("hello", masked=False), on=("server",), needs=["strict"])
fails(CHAPTER, "masked-says-why", 39, "§5.1", "The Close 1002 for a masked frame is sent.",
      text("hello", masked=True), on=("client",), needs=["strict"])
fails(CHAPTER, "unmasked-at-byte-2", 39, "§5.1", "Two bytes of header tell that the mask is missing: no more is read.",
      text("hello", masked=False, cut=2), on=("server",), needs=["strict"])
fails(CHAPTER, "masked-at-byte-2", 39, "§5.1", "Two bytes of header tell that the frame is masked: no more is read.",
      text("hello", masked=True, cut=2), on=("client",), needs=["strict"])


@CHAPTER.case("mask-keys-differ", 40, "§5.3", "Every frame of a client is masked, each with a new key.", on=("client",))
def mask_keys(lab):
    session = lab.open()
    for n in range(50):
        session.echo(text(f"message {n}" if n % 3 else ""))
        session.send(ping(bytes([n])))
        session.expect("pong", bytes([n]))
    session.finish()


@CHAPTER.case("mask-keys-are-random", 40, "§5.3", "Masking keys are not a counter.", on=("client",))
def mask_entropy(lab):
    session = lab.open()
    for n in range(32):
        session.echo(binary(bytes([n])))
    numbers = [int.from_bytes(key, "big") for key in session.keys]
    session.finish()
    ones = sum(number.bit_count() for number in numbers)
    # 1,056 random bits have 528 ones, give or take 16: six deviations are 98.
    if not 430 <= ones <= 626:
        raise Wrong(f"{ones} of {len(numbers) * 32} bits of the masking keys are ones: they are not random")


@CHAPTER.case("mask-key-of-zero", 40, "§5.3", "A masking key of zeros is a key like any other.", on=("server",))
def zero_mask(lab):
    session = lab.open()
    session.send(b"\x81\x85" + bytes(4) + b"hello")
    session.expect("text", b"hello")
    session.finish()


# 41, reserved bits, nothing being negotiated.
for opcode, payload in ((TEXT, b"a"), (BINARY, b""), (CLOSE, b"\x03\xe8"), (PING, b""), (PONG, b"a")):
    for rsv in range(1, 8):
        fails(CHAPTER, f"rsv-{rsv:03b}-on-{NAMES[opcode]}", 41, "§5.2",
              f"The reserved bits {rsv:03b} have no meaning on a {NAMES[opcode]} frame.",
              Frame(opcode, payload, rsv=rsv))
for rsv in (4, 2, 1):
    fails(CHAPTER, f"rsv-{rsv:03b}-on-continuation", 41, "§5.2",
          f"The reserved bits {rsv:03b} have no meaning on a continuation.", text("a", fin=False),
          more("b", fin=True, rsv=rsv))
fails(CHAPTER, "rsv-after-message", 41, "§5.2", "Reserved bits fail after good messages too.",
      text("good"), text("bad", rsv=4), before=same(text("good")))

# 42, control frames: whole, and at most 125 bytes.
for frame in (ping, pong, close):
    name = frame.__name__
    opcode = {"ping": PING, "pong": PONG, "close": CLOSE}[name]
    body = b"\x03\xe8" if frame is close else b""
    for size in (126, 127, 65535, 65536):
        fails(CHAPTER, f"{name}-of-{size}", 42, "§5.5", f"A {name} of {size} bytes is too long.",
              Frame(opcode, (body + b"x" * size)[:size]))
    fails(CHAPTER, f"{name}-of-126-header-only", 42, "§5.5", f"A long {name} fails before its payload comes.",
          Frame(opcode, length=126), needs=["strict"])
    fails(CHAPTER, f"{name}-fragment", 42, "§5.5", f"A {name} must not be fragmented.", Frame(opcode, body, fin=False))
    fails(CHAPTER, f"{name}-fragment-in-message", 42, "§5.5", f"A {name} inside a message must not be fragmented.",
          text("a", fin=False), Frame(opcode, body, fin=False))
for size in (0, 1, 124, 125):
    echoes(CHAPTER, f"ping-of-{size}", 42, "§5.5", f"A ping of {size} bytes is answered.",
           ping(bytes(range(size))), text("after"), back=same(text("after")))
    echoes(CHAPTER, f"pong-of-{size}", 46, "§5.5.3", f"An unasked pong of {size} bytes is passed over.",
           pong(bytes(range(size))), text("after"), back=same(text("after")))

# 43, opcodes.
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    fails(CHAPTER, f"opcode-{opcode}", 43, "§5.2", f"The opcode {opcode} is reserved.", Frame(opcode, b"x"))
    fails(CHAPTER, f"opcode-{opcode}-empty", 43, "§5.2", f"The opcode {opcode} is reserved, payload or not.",
          Frame(opcode))
    fails(CHAPTER, f"opcode-{opcode}-in-message", 43, "§5.2", f"The opcode {opcode} is reserved inside a message too.",
          text("a", fin=False), Frame(opcode, b"x"))
    fails(CHAPTER, f"opcode-{opcode}-unfinished", 43, "§5.2", f"The opcode {opcode} is reserved, FIN or not.",
          Frame(opcode, b"x", fin=False))
for fin in (False, True):
    for payload in (b"", b"x"):
        kind = f"{'final' if fin else 'unfinished'}-{'full' if payload else 'empty'}"
        stray = Frame(CONTINUATION, payload, fin=fin)
        fails(CHAPTER, f"continuation-of-nothing-{kind}", 43, "§5.4", "There is no message to continue.", stray)
        fails(CHAPTER, f"continuation-after-message-{kind}", 43, "§5.4", "The message has ended before.",
              text("done"), stray, before=same(text("done")))
        fails(CHAPTER, f"continuation-after-fragments-{kind}", 43, "§5.4", "The fragmented message has ended.",
              text("a", fin=False), last("b"), stray, before=same(text("ab")))
for first in (text, binary):
    for second in (text, binary):
        for fin in (False, True):
            fails(CHAPTER, f"{second.__name__}-in-{first.__name__}-{'final' if fin else 'unfinished'}", 43, "§5.4",
                  f"A {second.__name__} frame must not come before the {first.__name__} message has ended.",
                  first(b"a", fin=False), second(b"b", fin=fin))


@CHAPTER.case("ten-pings-at-once", 46, "§5.5.2", "Ten pings in one segment: the last at least is answered.")
def many_pings(lab):
    session = lab.open()
    session.send(*(ping(f"ping {n}".encode()) for n in range(10)), text("after"))
    session.expect_all(same(text("after")))
    session.finish()
