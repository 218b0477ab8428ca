"""E, negotiation as a server does it: offers of permessage-deflate (RFC 7692 §5, §7.1)."""

from case import Chapter, Skip, Wrong
from chapters.asks import BAD, check_accepted, check_refused
from deflate import NAME, answers, elements
from frame import text
from head import fresh_key

CHAPTER = Chapter("E", on=("server",))
GRAMMAR = "RFC 7692 §7.1"


def negotiate(lab, value):
    """Sends the offers; returns the response's parameters, None where they were declined, or the refusal."""
    wire = lab.connect()
    key = fresh_key()
    lab.sent = lab.request({"Sec-WebSocket-Extensions": value}, key=key)
    wire.send(lab.sent)
    response = lab.response(wire)
    if response is None:
        raise Wrong(f"the connection ended without a response ({wire.ended})")
    if response.status != 101:
        check_refused(lab, response, wire, BAD)
        return "refused"
    check_accepted(lab, response, key, extensions=True)
    values = response.all("sec-websocket-extensions")
    if len(values) > 1:
        raise Wrong(f"the response has {len(values)} Sec-WebSocket-Extensions fields: {values}")
    session = lab.session(wire, response)
    session.echo(text("hello hello hello hello"))
    session.finish()
    return elements(values[0])[0][1] if values else None


def accepts(name, item, rule, value, *fits, needs=("deflate",)):
    """The offer is right: the server may decline it, or answer one of its elements `fits`."""

    def run(lab):
        answer = negotiate(lab, value)
        if answer == "refused":
            raise Wrong("a right offer was refused: it may be declined, the handshake must go on")
        if answer is None:
            raise Skip("the server declined a right offer, as it may")
        wrongs = [answers(dict(offer), answer) for offer in fits]
        if None not in wrongs:
            raise Wrong(f"the response {answer} does not fit: {wrongs[0]}")

    CHAPTER.add(name, item, GRAMMAR, rule, run, needs=needs)


def declines(name, item, rule, value, refusable=False):
    """No element of the offer is right: it is declined; `refusable` where it is no list of extensions at all."""

    def run(lab):
        answer = negotiate(lab, value)
        if answer is not None and not (refusable and answer == "refused"):
            raise Wrong(f"expected the offer to be declined; saw {answer}")

    CHAPTER.add(name, item, GRAMMAR, rule, run)


# 62, each parameter with each kind of value.
BITS = ("server_max_window_bits", "client_max_window_bits")
FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
VALUES = {
    "0": "0", "1": "1", "7": "7", "16": "16", "99": "99", "leading-zero": "08", "leading-zero-10": "010",
    "negative": "-9", "plus": "+9", "huge": "9" * 40, "2-to-32-and-9": str((1 << 32) + 9), "fraction": "9.0", "hex": "0xa",
    "word": "ten", "exponent": "1e1",
}
MALFORMED = {"space": "1 5", "quoted-space": '"1 5"', "empty": "", "empty-quotes": '""', "open-quote": '"10', "slash": "1/0",
             "letters-behind-quote": '"10"x'}
for name in BITS:
    short = name.replace("_", "-")
    for kind, value in VALUES.items():
        declines(f"{short}-{kind}", 62, f"{name} must be 8 to 15, without a leading zero.", f"{NAME}; {name}={value}")
    for kind, value in MALFORMED.items():
        declines(f"{short}-{kind}", 62, f"{name}={value} is no parameter.", f"{NAME}; {name}={value}", refusable=True)
    for bits in range(8, 16):
        accepts(f"{short}-{bits}", 62, f"{name} may be {bits}.", f"{NAME}; {name}={bits}", [(name, str(bits))])
    accepts(f"{short}-quoted", 62, "A value may be quoted.", f'{NAME}; {name}="10"', [(name, "10")])
    declines(f"{short}-twice", 62, "A parameter must not stand twice.", f"{NAME}; {name}=10; {name}=10")
    declines(f"{short}-twice-different", 62, "A parameter must not stand twice.", f"{NAME}; {name}=10; {name}=12")
declines("server-max-window-bits-missing", 62, "server_max_window_bits needs a value.", f"{NAME}; server_max_window_bits")
accepts("client-max-window-bits-missing", 62, "In an offer client_max_window_bits may have no value.",
        f"{NAME}; client_max_window_bits", [("client_max_window_bits", None)])
for name in FLAGS:
    short = name.replace("_", "-")
    accepts(short, 64, f"{name} may be offered.", f"{NAME}; {name}", [(name, None)])
    for kind, value in {"1": "1", "true": "true", "quoted": '"1"', "zero": "0"}.items():
        declines(f"{short}-{kind}", 62, f"{name} has no value.", f"{NAME}; {name}={value}")
    declines(f"{short}-empty", 62, f"{name} has no value.", f"{NAME}; {name}=", refusable=True)
    declines(f"{short}-twice", 62, "A parameter must not stand twice.", f"{NAME}; {name}; {name}")
for kind, parameter in {"unknown": "x_unknown", "unknown-value": "x_unknown=1", "longer": "client_max_window_bitsx",
                        "constructor": "constructor", "proto": "__proto__=1", "capitals": "CLIENT_MAX_WINDOW_BITS_"}.items():
    declines(f"parameter-{kind}", 62, "A parameter that is not known is declined.", f"{NAME}; {parameter}")
for kind, value in {"no-parameter": f"{NAME};", "two-semicolons": f"{NAME};; client_max_window_bits",
                    "space-for-semicolon": f"{NAME} client_max_window_bits", "equals": f"{NAME}=1",
                    "quoted-name": f'"{NAME}"', "comma-in-quotes": f'{NAME}; client_max_window_bits="10,{NAME}"'}.items():
    declines(f"grammar-{kind}", 62, "What is no list of extensions is declined or refused.", value, refusable=True)
for kind, value in {"x-webkit": "x-webkit-deflate-frame", "longer": f"{NAME}x", "prefix": "permessage",
                    "bzip2": "permessage-bzip2", "deflate-frame": "deflate-frame"}.items():
    declines(f"other-extension-{kind}", 63, "An extension that is not known is declined.", value)

# 63, offers are a list of preferences.
ALL = [("client_max_window_bits", None), ("server_max_window_bits", "10")]
accepts("offer-plain", 63, "The plain offer is answered.", NAME, [])
accepts("offer-every-parameter", 63, "All four parameters may be offered together.",
        f"{NAME}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11",
        [("server_no_context_takeover", None), ("client_no_context_takeover", None), ("server_max_window_bits", "12"),
         ("client_max_window_bits", "11")])
accepts("offer-in-tight-list", 63, "Space around the signs may be missing.",
        f"{NAME};client_max_window_bits;server_max_window_bits=10", ALL)
accepts("offer-in-wide-list", 63, "Space around the signs means nothing.",
        f" {NAME} \t;  client_max_window_bits ;\tserver_max_window_bits=10 ", ALL)
accepts("second-offer", 63, "Where the first offer is bad, the second is taken.",
        f"{NAME}; server_max_window_bits=99, {NAME}", [])
accepts("third-offer", 63, "Where two offers are bad, the third is taken.",
        f"{NAME}; x_unknown, {NAME}; server_max_window_bits, {NAME}; client_max_window_bits",
        [("client_max_window_bits", None)])
accepts("either-of-two", 63, "Of two good offers one is answered.",
        f"{NAME}; server_no_context_takeover, {NAME}", [("server_no_context_takeover", None)], [])
accepts("unknown-extension-first", 63, "Another extension before it is passed over.", f"x-unknown; a=b, {NAME}", [])
accepts("unknown-extension-behind", 63, "Another extension behind it is passed over.", f'{NAME}, x-unknown; a="b"', [])
accepts("offers-in-two-lines", 63, "Two lines are one list.", ["x-unknown", NAME], [])
accepts("same-offer-twice", 63, "Of two same offers one is answered.", f"{NAME}, {NAME}", [])
accepts("hundred-offers", 63, "A hundred bad offers hide no good one.",
        ", ".join([f"{NAME}; x_unknown={n}" for n in range(100)] + [NAME]), [])
