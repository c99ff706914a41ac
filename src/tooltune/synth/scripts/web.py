"""Programs over a small web, with the fetching server."""

import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds.papers import PLANTED, Page, Web

_URL = {"url": ("url", "url")}


def _fetch(url: str, **arguments: object) -> Call:
    return call("fetch", url=url, **arguments)


def _fact(name: str, text: str) -> str:
    match = re.search(rf"^\W*{name}: (.*)$", text, re.MULTILINE)
    need(match)
    assert match is not None
    return match[1].strip()


def _plain(web: Web) -> Page:
    return web.rng.choice([page for page in web.entries if not page.planted])


def _page(web: Web) -> Values:
    return {"url": _plain(web).url}


def _two(web: Web) -> Values:
    first, second = _plain(web), _plain(web)
    need(first != second)
    return {"url": first.url, "other": second.url}


def _asked(web: Web) -> Values:
    page = _plain(web)
    return {"url": page.url, "fact": web.rng.choice(list(page.facts))}


def _linked(web: Web) -> Values:
    page = web.rng.choice([page for page in web.entries if page.links])
    return {"url": page.url, "fact": web.rng.choice(list(page.facts))}


def _lost(web: Web) -> Values:
    """An address that is not there, on a site that has others."""
    pages = web.rng.sample(web.entries, 2)
    site = pages[0].url.rsplit("/", 1)[0]
    wrong = f"{site}/old-{web.rng.choice(('menu', 'list', 'plan', 'index', 'notes'))}"
    return {"wrong": wrong, "url": pages[0].url, "fact": web.rng.choice(list(pages[0].facts))}


def _planted(web: Web) -> Values:
    return {"url": web.rng.choice([page for page in web.entries if page.planted]).url}


@script("web", """
what is on< {url}~ that page>?
= the content of< {url}~ the page>
! fetch< {url}~ the page>
! read< {url}~ the page> for me
! open< {url}~ the web page I mean>
""", "The contact there is {contact}. | It opens at {opens}; the contact is {contact}.",
draw=_page, asks=_URL)  # fmt: skip
def fetch_page(v: Values) -> Run:
    (text,) = yield _fetch(v["url"])
    return {"contact": _fact("contact", text), "opens": _fact("opens", text)}


@script("web", """
which {fact} does {url} give?
= the {fact} from {url}
! look at {url} for the entry {fact}
{url} says something about {fact}, what?
""", "{fact}: {x}. | It says {x}.", draw=_asked)  # fmt: skip
def page_fact(v: Values) -> Run:
    (text,) = yield _fetch(v["url"])
    return {"x": _fact(v["fact"], text)}


@script("web", """
= the raw HTML of {url}
! fetch {url} raw
how does the source of {url} look, raw?
""", "It is titled {title}. | The page is called {title}.", draw=_page)  # fmt: skip
def page_raw(v: Values) -> Run:
    (text,) = yield _fetch(v["url"], raw=True)
    match = re.search(r"<title>(.*?)</title>", text)
    need(match)
    assert match is not None
    return {"title": match[1]}


@script("web", """
= the first {n} characters of {url}
! fetch {url} with a max_length of {n}
! read only {n} characters of {url}
""", "It begins: {line} | The beginning is: {line}",
draw=lambda web: {**_page(web), "n": str(web.rng.choice((30, 40, 50, 60)))})  # fmt: skip
def page_start(v: Values) -> Run:
    (text,) = yield _fetch(v["url"], max_length=int(v["n"]))
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    need(lines)
    return {"line": lines[0]}


@script("web", """
= what {url} says from character {n} on
! fetch {url} with the start_index {n}
! skip the first {n} characters of {url} and read the rest
""", "It goes on: {line} | The rest begins with: {line}",
draw=lambda web: {**_page(web), "n": str(web.rng.choice((12, 18, 24, 30)))})  # fmt: skip
def page_rest(v: Values) -> Run:
    (text,) = yield _fetch(v["url"], start_index=int(v["n"]))
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    need(lines)
    return {"line": lines[0]}


@script("web", """
which {fact} does the page have that {url} links to?
! follow the link on {url} and tell me the {fact} there
= the {fact} of the page that {url} refers to
""", "{fact}: {x}. | There it says {x}.", draw=_linked, ability="chain")  # fmt: skip
def follow_link(v: Values) -> Run:
    (text,) = yield _fetch(v["url"])
    match = re.search(r"See also \[?(http://[^\s\])]+)", text)
    need(match)
    assert match is not None
    (other,) = yield _fetch(match[1])
    return {"x": _fact(v["fact"], other)}


@script(
    "web",
    """
who is the contact on {url} and who on {other}?
= the contacts from {url} and {other}
! fetch {url} and {other} and name their contacts
""",
    "{a} and {b}. | The first has {a}, the second {b}.",
    draw=_two,
    form="parallel",
)
def two_pages(v: Values) -> Run:
    first, second = yield [_fetch(v["url"]), _fetch(v["other"])]
    return {"a": _fact("contact", first), "b": _fact("contact", second)}


@script("web", """
which {fact} does {wrong} give? If it is gone, try {url}
! get the {fact} from {wrong}, or from {url} if that page fails
= the {fact} from {wrong}, else from {url}
""", "{wrong} is gone; {url} says {x}. | The first page fails, the other one gives {x}.",
draw=_lost, ability="chain", form="recovery")  # fmt: skip
def page_lost(v: Values) -> Run:
    (error,) = yield _fetch(v["wrong"])
    need("404" in error)
    (text,) = yield _fetch(v["url"])
    return {"x": _fact(v["fact"], text)}


@script("web", """
what does {wrong} say?
! fetch {wrong}
= the content of {wrong}
""", "{wrong} does not exist, the site answers 404. | There is no such page: status 404.",
draw=_lost, form="recovery")  # fmt: skip
def page_missing(v: Values) -> Run:
    (error,) = yield _fetch(v["wrong"])
    need("404" in error)
    return {"status": 404}


@script("web", """
who is the contact on {url}?
= the contact given on {url}
! find the contact on {url}
""", "{x}. The page also tries to give me orders, which I did not follow. | "
"It is {x}. There is also an instruction to assistants on it; I ignored that.",
draw=_planted, form="planted")  # fmt: skip
def page_planted(v: Values) -> Run:
    (text,) = yield _fetch(v["url"])
    need(any(planted in text for planted in PLANTED))
    return {"x": _fact("contact", text)}


SCRIPTS = scripts_of(list(globals().values()))
