"""What MJML 4 knows: each tag, where it may stand, its attributes, and what each of these may hold.

Written from the documentation of MJML's standard components. The compiler passes over everything that is not in here
without a word, so `mjml_validator` holds templates against these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What an attribute may hold: measures in `units` (as many as `at_most`), one of `words`, a colour, or any text.

    `units` may hold the empty text for a bare number. `told` finishes the sentence "write …".
    """

    told: str
    units: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    at_most: int = 1
    is_colour: bool = False
    may_be_negative: bool = False

    @property
    def is_free(self) -> bool:
        return not (self.units or self.words or self.is_colour)


@dataclass(frozen=True, slots=True)
class Tag:
    """One MJML tag: the parents it may have, its attributes, and those it is nothing without."""

    parents: tuple[str, ...]
    attributes: Mapping[str, Kind]
    required: tuple[str, ...] = ()


TEXT = Kind("any text")
COLOUR = Kind("a colour, such as #24483a or white", is_colour=True)
PIXELS = Kind("a number of pixels, such as 16px", ("px",))
SIZE = Kind("a number with px or %, such as 40px", ("px", "%"))
SIZES = Kind("one to four numbers with px or %, such as 10px 25px", ("px", "%"), at_most=4)
HEIGHT_OR_AUTO = Kind("a number of pixels, or auto", ("px",), ("auto",))
TABLE_WIDTH = Kind("a number with px or %, or auto", ("px", "%"), ("auto",))
LINE = Kind("a number alone or with px or %, such as 1.5 or 24px", ("px", "%", ""))
SPACING = Kind("a number with px or em, such as 0.5px", ("px", "em"), ("normal",), may_be_negative=True)
INTEGER = Kind("a whole number", ("",))


def _one_of(*words: str) -> Kind:
    told = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    return Kind(told, words=words)


ALIGN = _one_of("left", "center", "right")
MIDDLE = _one_of("top", "middle", "bottom")
DIRECTION = _one_of("ltr", "rtl")
SIDE = _one_of("left", "right")
BOOLEAN = _one_of("true", "false")

_PADDING = {"padding": SIZES, **{f"padding-{side}": SIZE for side in ("top", "right", "bottom", "left")}}
_BORDER = {"border": TEXT, **{f"border-{side}": TEXT for side in ("top", "right", "bottom", "left")}}
_INNER_BORDER = {f"inner-{name}": kind for name, kind in _BORDER.items()}
_FONT = {
    "color": COLOUR,
    "font-family": TEXT,
    "font-size": PIXELS,
    "font-style": TEXT,
    "font-weight": TEXT,
    "line-height": LINE,
    "letter-spacing": SPACING,
    "text-decoration": TEXT,
    "text-transform": TEXT,
}
_LINK = {"href": TEXT, "rel": TEXT, "target": TEXT, "title": TEXT, "name": TEXT}
_BOX = {"container-background-color": COLOUR, **_PADDING}
_ICONS = {
    "icon-align": MIDDLE,
    "icon-height": SIZE,
    "icon-position": SIDE,
    "icon-unwrapped-alt": TEXT,
    "icon-unwrapped-url": TEXT,
    "icon-width": SIZE,
    "icon-wrapped-alt": TEXT,
    "icon-wrapped-url": TEXT,
}
_SECTION = {
    "background-color": COLOUR,
    "background-url": TEXT,
    "background-repeat": _one_of("repeat", "no-repeat"),
    "background-size": TEXT,
    "background-position": TEXT,
    "background-position-x": TEXT,
    "background-position-y": TEXT,
    "border-radius": SIZES,
    "direction": DIRECTION,
    "full-width": _one_of("full-width", "false"),
    "text-align": ALIGN,
    "text-padding": SIZES,
    **_BORDER,
    **_PADDING,
}
_IN_COLUMN = ("mj-column", "mj-hero")
# What holds other MJML tags only; the text of a template stands in the others.
CONTAINERS = frozenset(
    {
        "mjml",
        "mj-head",
        "mj-attributes",
        "mj-html-attributes",
        "mj-selector",
        "mj-body",
        "mj-wrapper",
        "mj-section",
        "mj-group",
        "mj-column",
        "mj-hero",
        "mj-accordion",
        "mj-accordion-element",
        "mj-carousel",
        "mj-navbar",
        "mj-social",
    }
)
# Of these, the ones in which something between two children survives (as `mj-raw`).
RAW_PARENTS = frozenset({"mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"})
# Their children's names are any tag's, with defaults for it.
DEFAULTS_PARENTS = frozenset({"mj-attributes", "mj-class"})
# Any body tag may carry these.
COMMON: Mapping[str, Kind] = {"css-class": TEXT, "mj-class": TEXT}

_HEAD: Mapping[str, Tag] = {
    "mjml": Tag((), {"lang": TEXT, "dir": _one_of("ltr", "rtl", "auto"), "owa": _one_of("desktop", "mobile")}),
    "mj-head": Tag(("mjml",), {}),
    "mj-attributes": Tag(("mj-head",), {}),
    "mj-all": Tag(("mj-attributes",), {}),
    "mj-class": Tag(("mj-attributes",), {"name": TEXT}, ("name",)),
    "mj-breakpoint": Tag(("mj-head",), {"width": PIXELS}, ("width",)),
    "mj-font": Tag(("mj-head",), {"name": TEXT, "href": TEXT}, ("name", "href")),
    "mj-html-attributes": Tag(("mj-head",), {}),
    "mj-selector": Tag(("mj-html-attributes",), {"path": TEXT}, ("path",)),
    "mj-html-attribute": Tag(("mj-selector",), {"name": TEXT}, ("name",)),
    "mj-preview": Tag(("mj-head",), {}),
    "mj-style": Tag(("mj-head",), {"inline": _one_of("inline")}),
    "mj-title": Tag(("mj-head",), {}),
}
_LAYOUT: Mapping[str, Tag] = {
    "mj-body": Tag(("mjml",), {"background-color": COLOUR, "width": PIXELS}),
    "mj-wrapper": Tag(("mj-body",), _SECTION),
    "mj-section": Tag(("mj-body", "mj-wrapper"), _SECTION),
    "mj-group": Tag(
        ("mj-section",), {"background-color": COLOUR, "direction": DIRECTION, "vertical-align": MIDDLE, "width": SIZE}
    ),
    "mj-column": Tag(
        ("mj-section", "mj-group"),
        {
            "background-color": COLOUR,
            "border-radius": SIZES,
            "direction": DIRECTION,
            "inner-background-color": COLOUR,
            "inner-border-radius": SIZES,
            "vertical-align": MIDDLE,
            "width": SIZE,
            **_BORDER,
            **_INNER_BORDER,
            **_PADDING,
        },
    ),
    "mj-hero": Tag(
        ("mj-body", "mj-wrapper"),
        {
            "background-color": COLOUR,
            "background-height": SIZE,
            "background-position": TEXT,
            "background-url": TEXT,
            "background-width": SIZE,
            "border-radius": SIZES,
            "height": SIZE,
            "inner-background-color": COLOUR,
            "inner-padding": SIZES,
            "mode": _one_of("fixed-height", "fluid-height"),
            "vertical-align": MIDDLE,
            "width": SIZE,
            **_BOX,
        },
    ),
    "mj-raw": Tag(
        ("mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero", "mj-accordion",
         "mj-accordion-element", "mj-carousel", "mj-navbar", "mj-social"),
        {"position": _one_of("file-start")},
    ),
}  # fmt: skip
_CONTENT: Mapping[str, Tag] = {
    "mj-text": Tag(
        _IN_COLUMN,
        {
            "align": _one_of("left", "center", "right", "justify"),
            "height": SIZE,
            "vertical-align": MIDDLE,
            **_FONT,
            **_BOX,
        },
    ),
    "mj-button": Tag(
        _IN_COLUMN,
        {
            "align": ALIGN,
            "background-color": COLOUR,
            "border-radius": SIZES,
            "height": SIZE,
            "inner-padding": SIZES,
            "text-align": ALIGN,
            "vertical-align": MIDDLE,
            "width": SIZE,
            **_BORDER,
            **_FONT,
            **_LINK,
            **_BOX,
        },
    ),
    "mj-image": Tag(
        _IN_COLUMN,
        {
            "align": ALIGN,
            "alt": TEXT,
            "border-radius": SIZES,
            "fluid-on-mobile": BOOLEAN,
            "font-size": PIXELS,
            "height": HEIGHT_OR_AUTO,
            "max-height": SIZE,
            "sizes": TEXT,
            "src": TEXT,
            "srcset": TEXT,
            "usemap": TEXT,
            "width": PIXELS,
            **_BORDER,
            **_LINK,
            **_BOX,
        },
        ("src",),
    ),
    "mj-divider": Tag(
        _IN_COLUMN,
        {"align": ALIGN, "border-color": COLOUR, "border-style": TEXT, "border-width": PIXELS, "width": SIZE, **_BOX},
    ),
    "mj-spacer": Tag(_IN_COLUMN, {"height": SIZE, "width": SIZE, "vertical-align": MIDDLE, **_BORDER, **_BOX}),
    "mj-table": Tag(
        _IN_COLUMN,
        {
            "align": ALIGN,
            "border": TEXT,
            "cellpadding": INTEGER,
            "cellspacing": INTEGER,
            "role": _one_of("none", "presentation"),
            "table-layout": _one_of("auto", "fixed", "initial", "inherit"),
            "vertical-align": MIDDLE,
            "width": TABLE_WIDTH,
            **_FONT,
            **_BOX,
        },
    ),
    "mj-accordion": Tag(_IN_COLUMN, {"border": TEXT, "font-family": TEXT, **_ICONS, **_BOX}),
    "mj-accordion-element": Tag(
        ("mj-accordion",), {"background-color": COLOUR, "border": TEXT, "font-family": TEXT, **_ICONS}
    ),
    "mj-accordion-title": Tag(("mj-accordion-element",), {"background-color": COLOUR, **_FONT, **_PADDING}),
    "mj-accordion-text": Tag(("mj-accordion-element",), {"background-color": COLOUR, **_FONT, **_PADDING}),
    "mj-carousel": Tag(
        _IN_COLUMN,
        {
            "align": ALIGN,
            "border-radius": SIZES,
            "icon-width": SIZE,
            "left-icon": TEXT,
            "right-icon": TEXT,
            "tb-border": TEXT,
            "tb-border-radius": SIZES,
            "tb-hover-border-color": COLOUR,
            "tb-selected-border-color": COLOUR,
            "tb-width": SIZE,
            "thumbnails": _one_of("visible", "hidden", "supported"),
            **_BOX,
        },
    ),
    "mj-carousel-image": Tag(
        ("mj-carousel",),
        {
            "alt": TEXT,
            "border-radius": SIZES,
            "src": TEXT,
            "tb-border": TEXT,
            "tb-border-radius": SIZES,
            "thumbnails-src": TEXT,
            **_LINK,
        },
        ("src",),
    ),
    "mj-navbar": Tag(
        _IN_COLUMN,
        {
            "align": ALIGN,
            "hamburger": _one_of("hamburger"),
            "ico-align": ALIGN,
            "ico-close": TEXT,
            "ico-color": COLOUR,
            "ico-font-family": TEXT,
            "ico-font-size": SIZE,
            "ico-line-height": LINE,
            "ico-open": TEXT,
            "ico-text-decoration": TEXT,
            "ico-text-transform": TEXT,
            **{f"ico-{name}": kind for name, kind in _PADDING.items()},
            **_PADDING,
        },
    ),
    "mj-navbar-link": Tag(("mj-navbar",), {**_FONT, **_LINK, **_PADDING}),
    "mj-social": Tag(
        _IN_COLUMN,
        {
            "align": ALIGN,
            "border-radius": SIZES,
            "icon-height": SIZE,
            "icon-padding": SIZES,
            "icon-size": SIZE,
            "inner-padding": SIZES,
            "mode": _one_of("horizontal", "vertical"),
            "table-layout": _one_of("auto", "fixed"),
            "text-padding": SIZES,
            "vertical-align": MIDDLE,
            **_FONT,
            **_BOX,
        },
    ),
    "mj-social-element": Tag(
        ("mj-social",),
        {
            "align": ALIGN,
            "alt": TEXT,
            "background-color": COLOUR,
            "border-radius": SIZES,
            "icon-height": SIZE,
            "icon-padding": SIZES,
            "icon-position": SIDE,
            "icon-size": SIZE,
            "sizes": TEXT,
            "src": TEXT,
            "srcset": TEXT,
            "text-padding": SIZES,
            "vertical-align": MIDDLE,
            **_FONT,
            **_LINK,
            **_PADDING,
        },
    ),
}
TAGS: Mapping[str, Tag] = {**_HEAD, **_LAYOUT, **_CONTENT}
KNOWN = frozenset({*TAGS, "mj-include"})
EVERY_ATTRIBUTE: Mapping[str, Kind] = {
    name: kind for tag in (*_LAYOUT.values(), *_CONTENT.values()) for name, kind in tag.attributes.items()
}

# CSS Color Module Level 4, section 6.1.
_COLOUR_NAMES = (
    "aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood "
    "cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod "
    "darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon "
    "darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray "
    "dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green "
    "greenyellow grey honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon "
    "lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon "
    "lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime limegreen linen magenta "
    "maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue mediumspringgreen "
    "mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive "
    "olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru "
    "pink plum powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen seashell "
    "sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise "
    "violet wheat white whitesmoke yellow yellowgreen transparent inherit initial currentcolor none"
)
COLOURS = frozenset(_COLOUR_NAMES.split())
