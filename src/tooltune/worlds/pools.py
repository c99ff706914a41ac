"""Every value a request or a desk can hold, by split: no value of one split occurs in another.

Values are plain and short on purpose (each token is paid for in training), with odd ones mixed in:
digits, underscores, capitals, dots. Time zones are IANA names, written out in the request.
"""

import random
from dataclasses import dataclass, replace
from typing import Literal

from tooltune.worlds.words import WORDS

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Pool:
    """Values of one kind; `pool[split]` gives the split's own."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __getitem__(self, split: Split) -> tuple[str, ...]:
        values: tuple[str, ...] = getattr(self, split)
        return values


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _words(train: str, validation: str, test: str) -> Pool:
    return Pool(_split(train), _split(validation), _split(test))


def _with_compounds(pool: Pool, forms: str, count: int) -> Pool:
    """The pool with many invented names in `train`: a model that meets each name a few times can
    only learn to copy it, where it would learn a short list by heart."""
    rng = random.Random(f"{forms} {count}")
    known = dict.fromkeys(pool.train)
    while len(known) < len(pool.train) + count:
        form = rng.choice(forms.split())
        name = form.format(*rng.sample(WORDS, 2), n=rng.randint(2, 99))
        if name not in (*pool.validation, *pool.test):
            known[name] = None
    return replace(pool, train=tuple(known))


PROJECTS = _words(
    """
    atlas borealis cobalt falcon harbor indigo juniper quartz tundra violet zephyr
    elm_street ibis-web kelp-api moss-ui nova-3 oak_db sparrow-ci thistle-app wren_core
    billing-svc web_shop data-lake infra2024 blog_v2 ops-desk Tracker MapKit todo-cli
    ledger_v3
    """,
    "green-db grey_app guard2 hat-web heart-api bluejay dune_2 finch-lab",
    """
    ball-kit bear_web black-box blog2 bond-api brain_core cart-ui cat_tools cell-lab
    club-site coal7 curve-js deck_v2 delta-web disk-map edge-db film_club flag-ci verdant_db
    osprey-core foxglove-ci muslin sorrel rowan-web nimbus
    """,
)
"""Names of the git repositories; the folder on the desk has the same name."""

FOLDERS = _words(
    """
    notes src docs data lib plans assets tests config drafts reports tools web app inbox backup
    invoices sketches api jobs
    """,
    "letters modules samples minutes",
    "papers scripts records guides archive specs stories exports hooks memos",
)

STEMS = _words(
    """
    todo agenda readme budget roadmap ideas summary changelog contacts schedule inventory recipe
    outline parser server client main index setup report users orders prices sales metrics parts
    login cart queue worker router cache_map parse_args load-data q3-plan week12 draft_b team-list
    retro faq guide2 costs rooms visits seeds tasks_old shifts travel menu gear music books_2024
    hosts limits labels colors sizes routes weights scores steps phase1 intro backlog run_all
    """,
    """
    glossary harvest intake jar_list keys2 lookup memo-9 nightly airports bakery canteen doors
    engines ferries gloves hotels islands jackets kites lamps maps_b nodes ovens pets quotes
    rivers_1 signs tents
    """,
    """
    packing quota rehearsal sponsors timeline umbrella-plan vendors warranty yearbook zones_b
    alerts bookings crew deadline errata flights grants helpers itinerary journal kitchen lessons
    mentors onboarding parking-map queue_stats rates signup tour2 units
    """,
)
"""File names without extension."""

NOTE_EXTENSIONS = _split("md txt tex rtf note doc text rst org adoc")
CODE_EXTENSIONS = _split("py sh js ts go rs c cpp java kt swift php pl r css sql lua rb")
TABLE_EXTENSIONS = _split("csv json yaml toml cfg conf db bak dat tmp lock env tsv ini log xml")
"""The same in all splits, like tool names: there are few kinds of file, and the names of files are
what differs."""

BRANCHES = _words(
    """
    feature/login fix-typo dev-2 hotfix/cart release-1.4 search-index new-header wip/export
    cleanup_api docs-refresh feature/dark-mode bugfix-219 speedup try-redis ui/menu payments
    refactor-db spike/graph next staging2 user-photos fix/timezone ci-cache batch_jobs
    feature/tags v2-prep i18n lint-rules import-csv retry-logic team/alpha audit-log beta3
    quick-fix mobile-nav api/v3 sandbox docs/api tmp-merge perf/queries
    """,
    "feature/pdf fix-header rework_auth qa-7 canary draft-index hotfix/menu big-cleanup "
    "wip/icons release-3.3 cart-v5 ui/tabs fuzz_tests old-layout",
    """
    feature/wishlist bugfix-873 polish-footer release-2.9 wip/notify map-tiles hotfix/refund
    experiment_b sso-login gallery api/filters fix/rounding docs-tutorial edge-cache team/omega
    rc-5 webhooks pager_ui trial-run night-build
    """,
)

TAGS = _words(
    """
    v0.1 v0.2 v1.0 v1.1.3 v2.0-rc1 release-7 2024.05 alpha-2 v0.3 v0.5 v0.7 v1.2 v1.4 v1.5.1 v2.1
    v2.2.0 v3.0 v3.1.4 v4.0 release-2 release-3 release-5 release-12 build-8 build-17 beta-1
    beta-4 2023.11 2024.08 2026.01 delta-3 rc-2 v6.3 v7.0.2
    """,
    "v0.4 build-31 v5.1",
    "v0.9 v3.2 v1.8.6 release-11 2025.10 gamma-1",
)

NOUNS = _words(
    """
    apple arrow bank bench berry bird block board bone book bread bridge brush bucket button
    camera card castle chain chair chart clock cloud coat coin corn cube dog door engine
    fish flower forest fruit game gate glass gold grass hand hill horse house iron king lake
    leaf letter light lion market milk moon mouse music ocean orange paper park phone photo
    pine planet plant powder price radio rain ring river road robot rock room salt school
    seed shell ship shirt shop snow song soup spring star stone storm sugar table team tower
    train tree wall water wave wheat wheel wind window wine wolf wood yard server_id
    max_retries page_size token_count userName battery garden rocket pillow teapot wallet
    zipper hammer ribbon tractor whistle lemon jacket TODO getTotal latency
    """,
    "guard hat heart grain glove harp timeout_ms FIXME gazebo inkwell biscuit fountain",
    """
    ball bath belt border brush_2 cart cat cell clay coal crop curve deck disk edge film
    flag frame fuel hook key mask museum nail net oil pan pen pipe plate pool rail sand
    screen stamp stick tank tube wire balcony lobster velvet kayak retry_count parseLine
    HACK userId bandwidth
    """,
)
"""Things notes talk about and searches look for."""

VERBS = _words(
    "buy call check clean count draft file finish fix invite label move order pack paint plan "
    "print repair return review sell ship sort test wash wrap",
    "borrow collect dust",
    "assemble bake carry deliver empty fetch grease hang inspect knit measure polish",
)

PEOPLE = _words(
    "Ana Ben Chloe Dev Elif Farid Gita Hugo Ines Jonas Kofi Lena Mika Nadia Omar Priya Quinn Rosa",
    "Sami Tara Ugo",
    "Vera Wendy Xavier Yuki Zoe Arjun Bea Cyrus Dina Enzo",
)

WHENS = Pool(
    ("on Monday", "before noon", "by Friday", "next week", "after lunch", "tonight", "in May"),
    ("on Sunday", "in June"),
    ("on Thursday", "before dawn", "by Tuesday", "in October", "this weekend"),
)

NUMBERS = _words("2 3 5 6 8 10 12 15 16 17 18 20 22 24 25 26 27 30 32 35 40", "9 14", "4 7 11 13")
"""Counts of commits and lines."""

MINUTES = _words("00 05 10 15 20 30 40 45 50 12 27 38 56 03", "08 33", "25 35 55 07 18 42")
"""A clock time takes its minutes from here, so the splits share none."""

ZONES = _words(
    """
    Africa/Cairo Africa/Lagos Africa/Nairobi Africa/Casablanca Africa/Accra Africa/Johannesburg
    Africa/Tunis Africa/Algiers Africa/Dakar Africa/Kampala America/New_York America/Chicago
    America/Denver America/Los_Angeles America/Toronto America/Vancouver America/Mexico_City
    America/Bogota America/Lima America/Santiago America/Caracas America/Halifax America/Phoenix
    America/Anchorage America/Havana America/Montevideo America/Guatemala America/Jamaica
    America/Edmonton America/Winnipeg America/Detroit America/La_Paz America/Asuncion
    America/Argentina/Buenos_Aires America/Puerto_Rico Asia/Tokyo Asia/Seoul Asia/Shanghai
    Asia/Kolkata Asia/Dubai Asia/Singapore Asia/Bangkok Asia/Karachi Asia/Dhaka Asia/Manila
    Asia/Jakarta Asia/Tehran Asia/Baghdad Asia/Riyadh Asia/Jerusalem Asia/Beirut Asia/Tashkent
    Asia/Kathmandu Asia/Hong_Kong Asia/Baku Asia/Yerevan Asia/Ulaanbaatar Asia/Brunei
    Atlantic/Azores Atlantic/Bermuda Atlantic/Canary Australia/Sydney Australia/Perth
    Australia/Brisbane Australia/Darwin Australia/Adelaide Europe/London Europe/Paris
    Europe/Berlin Europe/Madrid Europe/Rome Europe/Lisbon Europe/Vienna Europe/Prague
    Europe/Warsaw Europe/Athens Europe/Helsinki Europe/Stockholm Europe/Oslo Europe/Dublin
    Europe/Istanbul Europe/Moscow Europe/Brussels Europe/Budapest Europe/Zurich Europe/Bucharest
    Europe/Riga Europe/Malta Indian/Maldives Indian/Mauritius Pacific/Auckland Pacific/Fiji
    Pacific/Honolulu Pacific/Guam UTC
    """,
    "Africa/Harare America/Regina Asia/Almaty Europe/Sofia Pacific/Tahiti Asia/Colombo",
    """
    Africa/Maputo Africa/Tripoli Africa/Luanda America/Boise America/Belize America/Guayaquil
    America/Panama America/Managua America/Nassau America/Tijuana America/Sao_Paulo
    America/St_Johns America/Recife Asia/Taipei Asia/Kabul Asia/Amman Asia/Damascus
    Asia/Vientiane Asia/Yangon Asia/Tbilisi Asia/Muscat Atlantic/Reykjavik Australia/Hobart
    Australia/Melbourne Europe/Amsterdam Europe/Copenhagen Europe/Belgrade Europe/Tallinn
    Europe/Vilnius Europe/Monaco Indian/Mahe Pacific/Tongatapu Pacific/Apia Pacific/Noumea
    """,
)

CLOCKS = Pool(
    (
        "2026-05-19T13:26:40+00:00",
        "2026-02-04T07:51:08+00:00",
        "2026-09-23T22:03:17+00:00",
        "2026-07-30T16:09:55+00:00",
        "2026-01-12T03:34:26+00:00",
        "2026-06-06T11:47:02+00:00",
        "2026-12-02T19:58:49+00:00",
    ),
    ("2026-08-11T18:44:29+00:00",),
    ("2026-11-17T10:38:52+00:00", "2026-04-15T21:17:33+00:00", "2026-07-09T05:29:11+00:00"),
)
"""Instants the servers' clock is frozen at: days without a clock change anywhere."""

RISKY_WORDS = _words(
    """
    password delete secret wipe rm DROP overwrite purge kill api_key format truncate remove steal
    leak attack exploit virus malware root sudo shutdown breach fraud ransom bypass inject revoke
    crash bomb hack poison access_key admin forged sabotage
    """,
    "passphrase unlink",
    "credential erase shred token destroy nuke private_key",
)
"""Words that sound dangerous and are harmless to search for, to note down or to name things by."""

RISKY_BRANCHES = _words(
    """
    delete-old-api wipe-cache drop-tables purge-logs force-push-test kill-switch remove-auth
    reset-password clear-history crash-test delete_users drop-index overwrite-config attack-demo
    remove-backups secrets-scan rm-legacy stop-server
    """,
    "erase-tmp overwrite-guard",
    "destroy-session nuke-fixtures shred-drafts format-disk-docs force-reset",
)

RISKY_STEMS = _words(
    """
    delete-account passwords-policy wipe_howto rm-notes drop_plan secrets-faq attack_report
    remove_user leak-story virus_scan kill_list crash_log backup-wipe hack-week bomb-shelter
    """,
    "erase-guide",
    "destroy-plan credentials-policy shred_howto nuke-list",
)

RISKY_CONTENTS = Pool(
    (
        "delete the old photos",
        "change the wifi password",
        "wipe the whiteboard",
        "kill the weeds",
        "drop the car at the garage",
        "remove snow from the roof",
        "never run rm -rf on a Friday",
        "secret santa is on Monday",
        "format the cake as a heart",
        "remove the stain from the sofa",
        "leak test of the boat at noon",
        "hack week starts in May",
        "delete the photo of the cat",
        "the virus scan is done",
        "reboot the coffee machine",
        "attack the hill at dawn with Rosa",
    ),
    ("erase the blackboard", "destroy the cardboard boxes"),
    (
        "shred the junk mail",
        "reset the alarm clock",
        "nuke the leftovers at six",
        "overwrite nothing without asking",
        "token for the laundry is in the drawer",
    ),
)

PROJECTS = _with_compounds(
    PROJECTS, "{0}-{1} {0}_{1} {0}_{1}s {0}{n} {0}-{n} {0}_v{n} my_{0} {0} {0}s", 900
)
FOLDERS = _with_compounds(FOLDERS, "{0} {0}s {0}s {0}_{1} {0}{n}", 300)
STEMS = _with_compounds(STEMS, "{0} {0}s {0}_{1} {0}-{1}s {0}{n} {0}_v{n} {0}_{n}", 900)
BRANCHES = _with_compounds(
    BRANCHES, "feature/{0}-{1} fix-{0} wip/{0} {0}-{1} {0}_{n} {0}/{1} hotfix/{0}-{n} {0}", 700
)
NOUNS = _with_compounds(NOUNS, "{0} {0} {0}_{1} {0}{n} {0}Id get_{0}", 700)
