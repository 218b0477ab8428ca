"""The cases, one module for each chapter of the checklist."""

from chapters import (
    a_fields,
    a_http,
    a_limits,
    b_client,
    c_frames,
    c_messages,
    c_text,
    d_closing,
    d_ends,
    e_data,
    e_offers,
    e_responses,
)

_MODULES = (
    a_fields, a_http, a_limits, b_client, c_frames, c_messages, c_text, d_closing, d_ends, e_offers, e_responses, e_data,
)
CHAPTERS = [module.CHAPTER for module in _MODULES]
