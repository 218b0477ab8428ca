"""E, negotiation as a client does it: responses that do not fit the offer (RFC 7692 §5.1, §7.1)."""

from case import Chapter, Skip
from chapters.b_client import must_fail
from deflate import NAME, agreement, elements
from frame import text
from session import UNCLEAN

CHAPTER = Chapter("E", on=("client",), needs=["deflate"])


def rejects(name, rule, answer, unless=None):
    """The client must fail; `unless` names a parameter whose offer makes the response right."""

    def run(lab):
        wire, request = lab.start()
        offer = lab.offered(request)
        if unless and unless in offer:
            raise Skip(f"the client offers {unless}")
        lab.expect_exit(UNCLEAN)
        response = lab.response(request, {"Sec-WebSocket-Extensions": answer})
        wire.send(response + text("must not come back").encode(False))
        must_fail(lab, wire)

    CHAPTER.add(name, 65, "RFC 7692 §7.1", rule, run)


def takes(name, rule, answer, needed=()):
    """The client must take the response, and echo."""

    def run(lab):
        wire, request = lab.start()
        offer = lab.offered(request)
        for parameter in needed:
            if parameter not in offer:
                raise Skip(f"the client does not offer {parameter}")
        if offer.get("server_max_window_bits"):
            raise Skip("the client limits the server's window further")
        granted = answer
        if "server_no_context_takeover" in offer and "server_no_context_takeover" not in answer:
            granted += "; server_no_context_takeover"
        agreed = agreement(elements(granted)[0][1])
        top = offer.get("client_max_window_bits")
        if needed and top and agreed.client_bits > int(top):
            raise Skip(f"the client offers client_max_window_bits={top}")
        wire.send(lab.response(request, {"Sec-WebSocket-Extensions": granted}))
        session = lab.session(wire, agreed)
        session.echo(text("hello hello hello hello"))
        session.finish()

    CHAPTER.add(name, 65, "RFC 7692 §7.1", rule, run)


for parameter in ("server_max_window_bits", "client_max_window_bits"):
    short = parameter.replace("_", "-")
    for kind, value in {
        "0": "0", "7": "7", "16": "16", "99": "99", "leading-zero": "08", "negative": "-9", "huge": "9" * 40,
        "space": "1 5", "quoted-space": '"1 5"', "word": "ten", "empty": "", "fraction": "9.5",
    }.items():
        rejects(f"response-{short}-{kind}", f"{parameter} must be 8 to 15.", f"{NAME}; {parameter}={value}")
    rejects(f"response-{short}-missing", f"In a response {parameter} needs a value.", f"{NAME}; {parameter}")
    rejects(f"response-{short}-twice", "A parameter must not stand twice.", f"{NAME}; {parameter}=12; {parameter}=12")
for parameter in ("server_no_context_takeover", "client_no_context_takeover"):
    short = parameter.replace("_", "-")
    rejects(f"response-{short}-value", f"{parameter} has no value.", f"{NAME}; {parameter}=1")
    rejects(f"response-{short}-twice", "A parameter must not stand twice.", f"{NAME}; {parameter}; {parameter}")
    takes(f"response-{short}", f"{parameter} may stand in a response unasked.", f"{NAME}; {parameter}")
rejects("response-client-max-window-bits-unasked", "client_max_window_bits may only answer an offer of it.",
        f"{NAME}; client_max_window_bits=12", unless="client_max_window_bits")
rejects("response-unknown-parameter", "A parameter that is not known makes the client fail.", f"{NAME}; x_unknown")
rejects("response-unknown-value", "A parameter that is not known makes the client fail.", f"{NAME}; x_unknown=1")
rejects("response-extension-twice", "The extension must not be accepted twice.", f"{NAME}, {NAME}")
rejects("response-extension-in-two-lines", "Two lines are one list.", [NAME, NAME])
rejects("response-other-extension", "Another extension was not offered.", "x-webkit-deflate-frame")
rejects("response-other-extension-too", "Another extension beside it was not offered.", f"{NAME}, x-unknown")
takes("response-plain", "The plain response is right.", NAME)
for bits in range(8, 16):
    takes(f"response-server-max-window-bits-{bits}", "A server may limit its own window unasked.",
          f"{NAME}; server_max_window_bits={bits}")
for bits in range(9, 16):
    takes(f"response-client-max-window-bits-{bits}", "A server may limit the client's window where that is offered.",
          f"{NAME}; client_max_window_bits={bits}", ["client_max_window_bits"])
takes("response-quoted", "A value may be quoted.", f'{NAME}; server_max_window_bits="12"')
takes("response-tight", "Space around the signs may be missing.",
      f"{NAME};server_no_context_takeover;client_no_context_takeover")
