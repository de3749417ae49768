"""How messages are written (RFC 5322, RFC 2045 to 2047, RFC 2231), read from any bytes.

    charset      bytes and a label → text
    fields       a header block → fields, unfolded
    words        RFC 2047 encoded words → text
    params       Content-Type and Content-Disposition with their parameters
    addresses    From, To … → people
    dates        Date → a moment
    transfer     base64, quoted-printable, uuencode → bytes
    structure    the bytes of a message → a tree of parts
    bodies       the tree → what is text, what is HTML, what is attached (RFC 8621 §4.1.4)
    html_text    HTML → text
    flowed       lines wrapped for the journey → paragraphs (RFC 3676)
    tnef         winmail.dat → what is in it

Nothing here raises, whatever the bytes: what cannot be understood is passed over and named as a
defect. Each step is bounded in time and memory.
"""
