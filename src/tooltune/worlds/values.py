"""Values of the further worlds (databases, graphs, pages), by split, shared out by a hash."""

import zlib
from collections.abc import Iterable
from itertools import product

from tooltune.worlds.pools import Pool, Split

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
_FEWEST = 3
"""A world draws as many different values from one pool."""


def _list(text: str) -> list[str]:
    return text.split()


def split_of(value: str) -> Split:
    """The split a value belongs to, whatever stands beside it."""
    place = (zlib.crc32(f"value {value}".encode()) % 1000) / 1000
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


def shared_out(values: Iterable[str]) -> Pool:
    """A pool of distinct values, each in the split of its hash."""
    parts: dict[Split, list[str]] = {"train": [], "validation": [], "test": []}
    for value in dict.fromkeys(values):
        parts[split_of(value)].append(value)
    assert min(map(len, parts.values())) >= _FEWEST, "add values: a split has too few to draw from"
    return Pool(*(tuple(parts[split]) for split in ("train", "validation", "test")))


_STEMS = _list("""
        books orders users plants tools songs recipes flights rooms movies cars invoices
        tickets parcels courses pets games shops trips suppliers devices sensors
        patients members vendors meals lamps boats coins stamps paintings bottles
        machines parts teams matches players visits loans rentals claims shifts tasks
        crops fields trees shirts shoes phones cameras bikes trucks stations cables
        boxes toys puzzles candles carpets chairs desks windows doors bricks pipes pumps
        valves filters
    """)
TABLES = shared_out(
    [*_STEMS]
    + [f"{head}_{stem}" for head, stem in product(
        _list("""
        old new city shop web club home spare north south east west blue red open local
    """),
        _STEMS)]
    + [f"{stem}_{tail}" for stem, tail in product(_STEMS, _list("""
        2024 2025 2026 archive eu us b
    """))]
)  # fmt: skip

_ADJECTIVES = _list("""
        amber brave calm dusty early fancy gentle hollow icy jolly keen lucky mellow
        noble odd plain quiet rapid silent tiny upper vivid warm young zesty bright
        crisp deep eager fresh grand humble
    """)
_THINGS = _list("""
        anchor basket compass drum easel feather goblet helmet igloo jug kettle ladder
        mirror needle oar pebble quilt ribbon saddle teapot urn violin wagon yarn zither
        acorn bell cradle dial engine fan globe hinge ink jar knot lantern marble nest
        orb paddle quiver rope spoon tile vase wheel
    """)
THINGS = shared_out(f"{one} {other}" for one, other in product(_ADJECTIVES, _THINGS))
"""Names of rows, products, pages: two plain words."""

_FIRST = _list("""
        Alma Bruno Carla Dario Edith Felix Greta Henry Irene Jakob Klara Louis Maria
        Niklas Olga Pablo Rita Simon Thea Urs Vera Willem Xenia Yusuf Zora Amir Bina
        Chen Dana Emre Fatou Goran Hana Isam Juno Keiko Luca Mara Noor Otis Petra Rafael
        Selma Tomas
    """)
_LAST = _list("""
        Abel Brandt Costa Dietz Ekberg Ferro Gruber Hansen Ito Jensen Keller Lang Moreau
        Novak Okafor Peeters Quint Rossi Silva Tanaka Ueda Varga Weiss Yilmaz Zhou Adler
        Bauer Cruz Duarte Engel Fuchs Grau
    """)
PEOPLE = shared_out(f"{first} {last}" for first, last in product(_FIRST, _LAST))

CITIES = shared_out(
    _list("""
        Lyon Porto Ghent Turin Bergen Malmo Graz Basel Cork Leeds Bari Split Varna Lodz
        Brno Kosice Tartu Kaunas Oulu Aarhus Utrecht Nantes Bilbao Braga Padua Zadar
        Pecs Iasi Burgas Izmir Haifa Aswan Fez Sousse Oran Kano Kumasi Mombasa Arusha
        Lusaka Durban Gaborone Quito Cusco Salta Rosario Curitiba Medellin Merida Puebla
        Tampa Boise Tucson Omaha Tulsa Reno Akron Regina Halifax Perth Cairns Hobart
        Napier Suva Kyoto Osaka Busan Daegu Tainan Hue Penang Cebu Medan Pune Kochi
        Jaipur Lahore Multan Kandy Sylhet Pokhara Almaty Tashkent Baku Batumi
    """)
)
CATEGORIES = shared_out(
    _list("""
        garden kitchen office travel music sport craft toys health winter summer outdoor
        indoor vintage premium basic digital repair storage school lighting textile
        ceramic wooden metal paper glass camping fishing cycling baking painting sewing
        gaming reading hiking sailing bathroom bedroom nursery workshop balcony wedding
        holiday electric plastic leather cotton organic luxury budget imported seasonal
        packaging plumbing velvet
    """)
)
SHEETS = shared_out(
    f"{head}{tail}" for head, tail in product(
        _list("""
        Garden Kitchen Office Travel Music Sport Winter Summer Budget Sales Team Stock Plan
        Costs Orders Visits Hours Repairs Deliveries Events Harvest Clients Rooms Prices
    """),
        ["", *_list("2024 2025 2026 Old New Draft North South _Q1 _Q2 _eu")])
)  # fmt: skip
"""Names of sheets in a workbook."""
STATUSES = shared_out(
    _list("""
        open closed pending shipped paid draft active archived returned cancelled
        reserved blocked new late approved rejected scheduled done missing ready paused
        expired locked sold hidden public private queued failed running overdue refunded
        disputed packed delivered lost broken planned confirmed waiting suspended resolved
        stalled rented partial
    """)
)
TOPICS = shared_out(
    f"{head} {tail}" for head, tail in product(
        _list("""
        river harbor museum garden library bakery market bridge tower castle island
        forest valley school theatre station workshop observatory orchard lighthouse
    """),
        _list("""
        news history map guide prices hours events staff rules archive tours report
    """))
)  # fmt: skip
SITES = shared_out(
    f"{head}{tail}.example" for head, tail in product(
        _list("""
        alder birch cedar delta ember fjord grove heron inlet jetty knoll larch maple
        north opal prairie quarry ridge slate terra
    """),
        _list("""
        -news -docs -shop -club -labs -wiki -city -data
    """))
)  # fmt: skip
RELATIONS = shared_out(
    _list("""
        knows manages mentors employs advises visits supplies owns leads teaches
        supports reports_to works_with belongs_to depends_on lives_near trained_by likes
        funds rents_from plays_with sits_beside trades_with writes_to invests_in shares_with
        travels_with reviews repairs audits sponsors borrows_from lends_to follows hosts
        insures protects feeds drives_for designs cooks_for admires hires leaves
    """)
)
KINDS = shared_out(
    _list("""
        person project company team place event product tool document device course
        recipe vehicle plant band club museum animal bridge school book software machine
        festival harbor hospital award language painting hotel church
    """)
)
FACTS = shared_out(
    f"{verb} {thing}" for verb, thing in product(
        _list("""
        likes repairs collects sells needs owns ordered lost found painted borrowed
        returned wants tests cleans designs
    """),
        ["lamps", "boats", "old maps", "green tea", "red bikes", "wool socks", "chess sets",
         "tin toys", "glass beads", "wooden spoons", "rain coats", "sea salt", "oak chairs",
         "radio parts", "film cameras", "jazz records", "paper kites"])
)  # fmt: skip
