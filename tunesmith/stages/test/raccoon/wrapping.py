"""What a message comes wrapped in: a pasted e-mail thread, HTML, itself once more. The meaning stays."""

from __future__ import annotations

import html as entities
from random import Random

from tunesmith.stages.test.raccoon.family import Change, Family, Material, Row
from tunesmith.stages.test.raccoon.phrases import phrases

_PAGES = (
    '<html><body><div class="message"><p>TEXT</p></div></body></html>',
    '<table border="0" cellpadding="0"><tr><td style="font-family:Arial;font-size:11pt">TEXT</td></tr></table>',
    '<div dir="ltr"><font color="#222222">TEXT</font><br clear="all"></div>',
)


def email_thread(row: Row, material: Material, draw: Random) -> Change:
    """The text as the newest mail of a thread, with a greeting, a name below it, and the mails before."""
    words = phrases()["wrapping"]
    writer, *others = draw.sample(words["names"], 3)
    earlier = draw.sample(words["earlier"], 2)
    lines = [f"Hi {others[0]},", "", row.text, "", "Best wishes,", writer]
    for depth, (name, text) in enumerate(zip(others, earlier, strict=True)):
        before = "> " * depth
        lines += ["", f"{before}{name} wrote:", f"{before}> {text}"]
    return Change("\n".join(lines), {"writer": writer, "others": others, "earlier": earlier})


def html(row: Row, material: Material, draw: Random) -> Change:
    """The text inside HTML, its own signs escaped and its lines broken by <br>."""
    page = draw.randrange(len(_PAGES))
    text = entities.escape(row.text).replace("\n", "<br>\n")
    return Change(_PAGES[page].replace("TEXT", text), {"page": page})


def repeated_text(row: Row, material: Material, draw: Random) -> Change:
    """The same text two or three times."""
    times = draw.choice((2, 3))
    return Change("\n\n".join([row.text] * times), {"times": times})


FAMILIES = (
    Family("email_thread", "pasted e-mail threads", "same", "as the newest mail of a thread", email_thread),
    Family("html", "HTML", "same", "inside the markup of a mail or page", html),
    Family("repeated_text", "repeated text", "same", "the same text two or three times", repeated_text),
)
