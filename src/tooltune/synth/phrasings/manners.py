"""How people begin and end a request, whatever it is about. By split."""

from tooltune.worlds.pools import Pool

POLITE = Pool(
    train=(
        "please {}",
        "please {}",
        "can you {}?",
        "can you {}?",
        "could you {}?",
        "could you please {}?",
        "can you please {}",
        "would you {}?",
        "will you {} for me?",
        "I need you to {}",
        "I want you to {}",
        "I'd like you to {}",
        "go ahead and {}",
        "go and {}",
        "just {}",
        "now {}",
        "kindly {}",
        "help me out: {}",
        "your next task: {}",
        "you should {}",
        "pls {}",
        "plz {}",
        "{} please",
        "{}, please",
        "{} for me",
        "{} now",
        "{} if you can",
    ),
    validation=("could I get you to {}?", "be so kind and {}"),
    test=(
        "would you please {}?",
        "can you quickly {}?",
        "please go ahead and {}",
        "I'd appreciate it if you could {}",
        "you can now {}",
        "time to {}",
        "{}, if you don't mind",
        "do me a favor and {}",
    ),
)

GREETINGS = Pool(
    train=(
        "hey, ",
        "hi! ",
        "hi, ",
        "hello, ",
        "ok, ",
        "okay ",
        "so ",
        "alright, ",
        "good morning. ",
        "one more thing: ",
        "next: ",
        "quick one: ",
        "sorry to bother you, ",
        "right, ",
        "hmm, ",
        "and ",
        "also, ",
        "first of all, ",
        "hey there - ",
        "yo, ",
        "before lunch: ",
        "for the meeting: ",
        "I'm in a hurry. ",
        "my boss wants this: ",
        "question from a colleague: ",
    ),
    validation=("well, ", "ahoy, "),
    test=(
        "hey you, ",
        "good evening. ",
        "a small request: ",
        "then ",
        "I'm on my phone, so briefly: ",
        "as discussed: ",
    ),
)

CLOSINGS = Pool(
    train=(
        " thanks",
        " Thanks!",
        " thank you",
        " thx",
        " - thanks in advance",
        " asap",
        " I'm in a hurry",
        " It's for a report.",
        " My colleague asked.",
        " No rush.",
        " Quickly please.",
        " :)",
        " Keep it short.",
        " I need it for a call.",
        " That's all.",
        " cheers",
        " I'm on my phone",
        " as soon as you can",
    ),
    validation=(" Much obliged.", " It matters."),
    test=(
        " Thanks a lot!",
        " ty",
        " I'll wait.",
        " It's for my notes.",
        " when you get a moment",
        " Appreciated!",
    ),
)

_NOT_VERBS = """
a all any are at before bottom can cat chmod commit commits contents cp current details did
directory do does don't end file files first fix for from git grep head history how if in into
is it last latest let's line lines log ls my names new newest nothing now number occurrences
one repo review rm some someone something somewhere source start state status tail the
there there's time top wc we what what's when where which who why with would
"""
NOT_VERBS = frozenset(_NOT_VERBS.split())
"""First words of lower-case requests that are no instruction, so that `please` does not fit."""
