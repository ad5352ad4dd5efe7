"""Every code that a fault can carry: its title, what it means, and the way out.

The reference page of the documentation is made from this table; a code that is not in it may not be used. E0
is the file as YAML, E10 its shape, E11 and E12 its references, E13 its values, E14 its versions, E15 what may
be sent, E17 templates, W2 what is allowed but looks like a slip, W21 what keeps a mail from being read. A code that
begins with W warns and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultCode:
    """`title` for a list, `explanation` for somebody who meets the code, `way_out` as an instruction."""

    title: str
    explanation: str
    way_out: str


FAULT_CODES: Mapping[str, FaultCode] = {
    code: FaultCode(title, explanation, way_out)
    for code, title, explanation, way_out in (
        (
            "E001",
            "not YAML",
            "Not one YAML 1.2 document: a quote, bracket or colon is missing, or a line stands wrong.",
            "Look at the place that is named and at the line above it.",
        ),
        (
            "E002",
            "duplicate key",
            "The same key stands twice in one mapping, so one of the two would be lost.",
            "Remove one of them, or make a list.",
        ),
        (
            "E003",
            "tab in the indentation",
            "YAML does not say how wide a tab is, so it accepts none before the first word of a line.",
            "Indent with spaces; most editors can convert the file.",
        ),
        (
            "E004",
            "too large",
            "Larger than 1 MB, nested more than 50 levels deep, or aliases that repeat more than 100 parts.",
            "Split the file, make it flatter, or write the repeated values out.",
        ),
        ("E005", "not UTF-8", "The file is stored in another encoding.", "Save it as UTF-8."),
        (
            "E100",
            "no kind, or several",
            "A file describes one thing, and the key with its kind (`journey:`, `segment:` …) says which.",
            "Give the file exactly one such key; split it if it describes several things.",
        ),
        (
            "E101",
            "required key missing",
            "Without this key the mapping means nothing.",
            "Add the key; the message says what belongs to it.",
        ),
        (
            "E102",
            "unknown key",
            "Nothing here is called so; the message names the nearest word that is.",
            "Correct the word, or remove the line.",
        ),
        (
            "E103",
            "wrong value",
            "The value is of the wrong type, or not written as a duration, a time or a name is written here.",
            "Write it as the message says.",
        ),
        (
            "E104",
            "step without a verb",
            "A step does one thing, and the key that says which is missing.",
            "Add a verb such as `email`, `wait` or `choose`.",
        ),
        (
            "E105",
            "several verbs in one step",
            "A step has two verbs, or a condition has two leaves, and their order would be a guess.",
            "Make two list items of them.",
        ),
        (
            "W106",
            "name and file name differ",
            "Other files use the name that stands inside; people look for the file by its own.",
            "Give both the same name.",
        ),
        (
            "E110",
            "duplicate step id",
            "Two steps of the journey have the same id, so a reference would be ambiguous.",
            "Rename the second.",
        ),
        (
            "E111",
            "no such step",
            "A `goto`, `steps.<id>`, `message:`, `step:` or `branch:` names a step that does not exist.",
            "Correct the id, or give the step that is meant this id.",
        ),
        (
            "E112",
            "step cannot have run before",
            "The step that is referred to comes later, or stands in another branch.",
            "Refer to a step that everybody has passed who arrives here.",
        ),
        (
            "E113",
            "goto backwards",
            "A `goto` leads to an earlier step, which could run for ever.",
            "Use `repeat`, which has a `max`.",
        ),
        (
            "W114",
            "steps that nobody reaches",
            "They stand after an `exit` or a `goto` in the same list.",
            "Move or remove them.",
        ),
        (
            "E115",
            "answer that a step never gives",
            "`{branch: x, is: y}` asks for an arm, a branch or a position that the step does not have.",
            "Write the name or the number of one that it has; numbers stand without quotes.",
        ),
        (
            "W115",
            "condition that can never hold",
            "Two of its parts exclude each other, or nobody can have taken the way that it asks for.",
            "Correct it, or take it out with what depends on it.",
        ),
        (
            "W116",
            "condition that always holds",
            "It is true of everybody, so that it decides nothing.",
            "Correct it, or take it out.",
        ),
        (
            "W117",
            "limit that starves a step",
            "The messages before it have used the limit up for everybody who comes here, so that it is never sent.",
            "Raise the limit, wait longer, or take a message out.",
        ),
        (
            "W118",
            "message that no hour lets through",
            "Whenever it falls due, quiet hours drop it, or it expires before they or the send window let it out.",
            "Send it at another hour, let it wait, or let it expire later.",
        ),
        (
            "E120",
            "unknown name",
            "No segment, template, offer, list, journey, score, topic, sender or transport is called so.",
            "Correct the name, or add the file.",
        ),
        (
            "E121",
            "circular segments",
            "A segment asks, over others, whether it contains the profile itself.",
            "Break the circle that the message prints.",
        ),
        (
            "E122",
            "circular journeys",
            "Journeys start each other, or emit each other's entry event, without a wait: it would never end.",
            "Put a wait between them, or break the circle.",
        ),
        (
            "E123",
            "variable never available",
            "A text reads what not everybody has who gets it, such as `entry.items` in a segment's journey.",
            "Supply it by `with` or `defaults`, let everybody pass the step that it comes from, or ask for it first.",
        ),
        (
            "E124",
            "template of another channel",
            "The template's channel is not the verb's: a mail's template cannot be sent as a text message.",
            "Use a template of the same channel.",
        ),
        (
            "E125",
            "sealed attribute in a comparison",
            "Personal attributes are stored sealed and can only be found by their whole value.",
            "Use `exists`, `eq` or `in`, or declare the attribute as not personal.",
        ),
        (
            "E130",
            "shares that do not add up",
            "Weights make 0, a holdout leaves nobody, floors pass 100 %, or there are over two decimals.",
            "Correct the share that is named.",
        ),
        (
            "E131",
            "hours without length",
            "`from` and `to` are the same time, which could mean never or always.",
            "Write two different times, or leave the entry out.",
        ),
        (
            "E132",
            "unknown time zone",
            "The name is not in the IANA list; abbreviations such as CET or EST5 hide summer time.",
            "Write a place, such as Europe/Berlin.",
        ),
        ("E133", "impossible date", "The calendar has no such day, or the clock no such time.", "Correct it."),
        (
            "W133",
            "day that some months lack",
            "Not every month has a 29th, 30th or 31st.",
            "Write 28 or less to be sure of every month.",
        ),
        (
            "E134",
            "wait that cannot be",
            "The timeout is 0, or a wait is longer than `max_stay` lets anybody stay.",
            "Change one of the two.",
        ),
        (
            "E135",
            "units out of order",
            "The units of a duration descend, each once: y mo w d h m s; `m` is a minute and `mo` a month.",
            "Write it as the message says.",
        ),
        (
            "E136",
            "re-entry that contradicts itself",
            "`reenter.every` is under a minute, or `mode: parallel` stands beside `reenter: never`.",
            "Change one of the two.",
        ),
        (
            "E137",
            "no hour left to send",
            "The send window is empty, or lies wholly inside the quiet hours.",
            "Write hours that lie outside them.",
        ),
        (
            "E138",
            "kept too short",
            "Links in mails, reports of providers, caps and waits look back further than this would be kept.",
            "Write at least what the message says.",
        ),
        (
            "E140",
            "new experiment without a new epoch",
            "The goal, the holdout or a seed of a live journey changed, and read-outs may not mix both.",
            "Raise `epoch:` by one.",
        ),
        (
            "E141",
            "live step without an id",
            "People wait at this step or refer to it, and a later version could not find it again.",
            "Give the step an `id`.",
        ),
        (
            "E142",
            "people stand at a removed step",
            "The message says how many.",
            "Say by `migrate: {removed: {old: new}}` where they go on, or apply without `--migrate`.",
        ),
        (
            "E143",
            "people still need what has no file any more",
            "A template, segment or offer was removed, and people in an older version of a journey will come to it.",
            "Keep the file until they are through, or move them to the newest version with `apply --migrate`.",
        ),
        (
            "E150",
            "marketing without consent path",
            "The message has no topic, or its template has no visible unsubscribe link.",
            "Add `topic:`, and `links.unsubscribe` to the template; or `kind: transactional` if it is.",
        ),
        (
            "E151",
            "webhook address refused",
            "It is not https, or the host is private or on the deny list.",
            "Use an https address that is reachable from outside.",
        ),
        (
            "E152",
            "sender not ready",
            "DKIM, DMARC, postal address or visible unsubscribe is missing, or the provider rewrites links.",
            "Do what the message names, then launch again.",
        ),
        (
            "E153",
            "offer in a transactional template",
            "A transactional message needs no consent because it sells nothing.",
            "Remove the offer, or make the template `kind: marketing`.",
        ),
        (
            "E160",
            "word that does not work yet",
            "The word is part of the language, and this version cannot act on it.",
            "Leave it out for now.",
        ),
        (
            "E170",
            "MJML that is not well-formed",
            "A tag is not closed, a quote is missing, or the template is not one `<mjml>` element with a body.",
            "Look at the place that is named; every tag that is opened is closed again in the reverse order.",
        ),
        (
            "E171",
            "unknown MJML tag",
            "MJML has no such tag, or it cannot be used here; it would silently be left out of the mail.",
            "Check the spelling, or write the part with tags that are known.",
        ),
        (
            "E172",
            "Jinja that cannot be used",
            "The expression is not valid Jinja, or uses something that templates may not do.",
            "Write it with variables, filters, `if` and `for`.",
        ),
        (
            "E173",
            "misplaced placeholder",
            "A placeholder stands where MJML computes or drops its content, so it would be lost from the mail.",
            "Move it into the text, or into an attribute such as `href`, `src` or `alt`.",
        ),
        (
            "E174",
            "refused link address",
            "Only http and https lead anywhere, and no address may hide where it leads.",
            "Write the whole address, beginning with https://.",
        ),
        (
            "E175",
            "misplaced MJML tag",
            "MJML leaves out, without a word, what stands where it does not look: this tag or text would be lost.",
            "Put it into one of the tags that are named.",
        ),
        (
            "E176",
            "wrong attribute of an MJML tag",
            "The tag has no such attribute, lacks one that it needs, or names an `mj-class` that nobody defined.",
            "Check the spelling; what CSS alone can do belongs into a class in `mj-style`, named by `css-class`.",
        ),
        (
            "E177",
            "impossible value of an MJML attribute",
            "A unit is missing or not allowed, a colour does not exist, or the word is none of those that count.",
            "Write it as the message says.",
        ),
        (
            "E178",
            "include that leads nowhere",
            "The partial is not in `templates/partials/`, includes itself, or is too deeply or too widely included.",
            "Check its path, which begins with `partials/`.",
        ),
        (
            "E179",
            "missing asset",
            "`asset(…)` names a file that is not in `assets/`, or one that cannot be shown there.",
            "Put the file into `assets/`, or correct the name.",
        ),
        (
            "W100",
            "folder that is not read",
            "Its name is nearly that of a folder that is read.",
            "Rename it.",
        ),
        (
            "W201",
            "never seen in the data",
            "No such event or attribute is declared or has arrived, or its values are of another type.",
            "Check the spelling; ignore it if the data is still to come.",
        ),
        ("W202", "mail directly after a mail", "Nothing is waited for between the two.", "Put a `wait` between them."),
        (
            "W203",
            "goal equals the entry event",
            "Everybody who enters may reach the goal by the event that let them in.",
            "Choose another goal.",
        ),
        (
            "W204",
            "hours that look like days",
            "`48h` counts hours; `2d` keeps the time of day, also when the clocks change.",
            "Write days if days are meant.",
        ),
        (
            "W205",
            "opens may not be tracked",
            "`was: opened` needs opens of single people, and `tracking.opens` does not allow them.",
            "Use `clicked`, or change the setting.",
        ),
        (
            "W206",
            "looks back further than events are kept",
            "`retention` deletes events before the condition asks for them, so it will count too few.",
            "Make `within` shorter, or keep events longer.",
        ),
        (
            "W207",
            "webhook within a private network",
            "Addresses that not everybody can reach are called only while messages go to the sandbox.",
            "Use an https address that is reachable from outside.",
        ),
        (
            "W208",
            "segment that looks at too much",
            "By the database's own plan it is above POSTILION_SEGMENT_ROWS, so that it is refused unless it is forced.",
            "Ask about a shorter time (`within`) or fewer events, or raise that setting.",
        ),
        (
            "W210",
            "picture without words",
            "Most mail programs show no picture until they are asked; until then its `alt` is all there is to read.",
            'Say in `alt` what it shows; write `alt=""` for a picture that only decorates.',
        ),
        (
            "W211",
            "mail that Gmail cuts off",
            "Gmail shows the first 102 KB of a mail; what follows, the way out included, hides behind a link.",
            "Make the mail shorter.",
        ),
        (
            "W212",
            "mail of pictures",
            "With hardly a word in it, nothing can be read before pictures are loaded, and filters take it for spam.",
            "Write text as text.",
        ),
        (
            "W213",
            "link without encryption",
            "Everybody on the way can read, and change, what an http address answers.",
            "Write https://.",
        ),
        (
            "W214",
            "link that reads like another address",
            "Its text is one address and it leads to another, as in forged mail; filters look for just that.",
            "Write words instead of the address, or the address that it leads to.",
        ),
        (
            "W215",
            "subject that puts off",
            "Longer than about 60 characters it is cut off on phones; capitals and exclamation marks look like spam.",
            "Make it shorter and quieter.",
        ),
        (
            "W216",
            "no preheader",
            "Mail programs show the beginning of the mail beside its subject, often 'View in your browser'.",
            "Add `preheader:` to the front matter.",
        ),
        (
            "W217",
            "postal address that is not shown",
            "The law of many countries wants the sender's postal address in each marketing mail.",
            "Write {{ workspace.postal_address }} into the foot of the mail.",
        ),
        (
            "W218",
            "heavy asset",
            "Somebody on a phone waits for it, and pays for it.",
            "Make the picture smaller; 200 KB is plenty for most.",
        ),
        (
            "W219",
            "plain text that says nothing",
            "Watches, screen readers and filters read the plain text part, and this one has hardly a word.",
            "Write more text, or a text part of its own below a line `{# text #}`.",
        ),
    )
}


def get_fault_code(code: str) -> FaultCode:
    """Raises KeyError for a code that is not in the table."""
    return FAULT_CODES[code]
