"""The cases, one module for each chapter of the checklist."""

from chapters import a_fields, a_http, a_limits, b_client, c_frames, c_messages, c_text, d_closing, d_ends

CHAPTERS = [module.CHAPTER for module in (a_fields, a_http, a_limits, b_client, c_frames, c_messages, c_text, d_closing, d_ends)]
