"""Mappings proposed from the exports of other tools: readable, right, and without a cell of anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from core.errors import InputError, has_errors
from core.located import load_yaml
from core.runtime import Runtime
from customers.imports.column_names import find_tool, plain_name
from customers.imports.column_values import Look, look_at
from customers.imports.fields import ImportKind
from customers.imports.mapping import parse_mapping
from customers.imports.suggest import read_sample, suggest_mapping
from customers.workspace import AttributeSpec, ValueKind
from tests.customers.conftest import WORKSPACE
from tests.customers.importing import import_text

PEOPLE = ("alice", "bob", "carol")


def _rows(count: int, template: str) -> str:
    """`template` once a row: {n} counts, {who} is somebody, {day} a day of a month."""
    return "".join(
        template.format(
            n=number + 1, who=f"{PEOPLE[number % 3]}{number}", day=number % 28 + 1, odd=("yes", "no")[number % 2]
        )
        for number in range(count)
    )


FILES: dict[str, tuple[ImportKind, str, str]] = {
    "mailchimp_subscribed": (
        ImportKind.PROFILES,
        "subscribed_segment_export.csv",
        "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,TIMEZONE,CC,LEID,"
        "EUID,NOTES,TAGS\n"
        + _rows(
            40,
            "{who}@example.org,Ann,Bee,3,2024-03-{day:02} 10:00:00,203.0.113.7,2024-03-{day:02} 10:05:00,203.0.113.7,"
            "Europe/London,GB,{n},a{n}f,,\n",
        ),
    ),
    "mailchimp_unsubscribed": (
        ImportKind.PROFILES,
        "unsubscribed_segment_export.csv",
        "Email Address,First Name,OPTIN_TIME,UNSUB_TIME,UNSUB_REASON,LEID,EUID\n"
        + _rows(40, "{who}@example.org,Ann,2024-03-{day:02} 10:00:00,2025-03-{day:02} 10:00:00,,{n},a{n}f\n"),
    ),
    "mailchimp_cleaned": (
        ImportKind.SUPPRESSIONS,
        "cleaned_segment_export.csv",
        "Email Address,OPTIN_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID,EUID\n"
        + _rows(20, "{who}@example.org,2024-03-{day:02} 10:00:00,2025-03-{day:02} 10:00:00,Spring,{n},a{n}f\n"),
    ),
    "mautic": (
        ImportKind.PROFILES,
        "mautic_contacts.csv",
        "id,email,firstname,lastname,company,mobile,points,city,country,timezone,preferred_locale,date_added,"
        "date_identified\n"
        + _rows(
            40,
            "{n},{who}@example.org,Ann,Bee,Fern,+44 20 7946 00{day:02},{n},Bath,United Kingdom,Europe/London,en,"
            "2024-03-{day:02} 10:00:00,2024-03-{day:02} 10:00:00\n",
        ),
    ),
    "listmonk": (
        ImportKind.PROFILES,
        "listmonk.csv",
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        + _rows(
            40, "u-{n},{who}@example.org,Ann Bee,{{}},enabled,2024-03-{day:02}T10:00:00Z,2024-03-{day:02}T10:00:00Z\n"
        ),
    ),
    "shopify": (
        ImportKind.PROFILES,
        "customers_export.csv",
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address City,"
        "Default Address Country Code,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags\n"
        + _rows(40, "'{n},Ann,Bee,{who}@example.org,{odd},Fern,Bath,GB,'+4420794600{day:02},no,{n}.50,{n},,no,vip\n"),
    ),
    "klaviyo": (
        ImportKind.PROFILES,
        "klaviyo.csv",
        "Email,Klaviyo ID,First Name,Last Name,Phone Number,Email Marketing Consent,Email Marketing Consent Timestamp,"
        "Country,Locale,Profile Created On\n"
        + _rows(
            40,
            "{who}@example.org,K{n},Ann,Bee,+4420794600{day:02},SUBSCRIBED,2024-03-{day:02} 10:00:00,"
            "United States,en-US,2024-03-{day:02} 10:00:00\n",
        ),
    ),
    "hubspot": (
        ImportKind.PROFILES,
        "hubspot-crm-exports-all-contacts.csv",
        "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Marketing contact status,"
        "Create Date,Country/Region,Company name\n"
        + _rows(
            40,
            "{n},Ann,Bee,{who}@example.org,+4420794600{day:02},Zoe,OPEN,Marketing contact,2024-03-{day:02} 10:00,"
            "Germany,Fern\n",
        ),
    ),
    "german_shop": (
        ImportKind.PROFILES,
        "kunden.csv",
        "Kundennummer;E-Mail;Vorname;Nachname;Geburtsdatum;Land;Newsletter;Newsletter seit;Umsatz\n"
        + _rows(
            40, "{n};{who}@example.org;Änne;Bee;{day:02}.03.1980;Deutschland;ja;{day:02}.03.2024 09:30;1.234,{n}5\n"
        ),
    ),
    "ambiguous_dates": (
        ImportKind.PROFILES,
        "club.csv",
        "mail,dob\n"
        + _rows(12, "{who}@example.org,0{day}/0{day}/1980\n")
        .replace("010", "10")
        .replace("011", "11")
        .replace("012", "12"),
    ),
    "french_orders": (
        ImportKind.ORDERS,
        "commandes.csv",
        "Numéro de commande;Date de commande;Numéro client;Référence;Quantité;Prix unitaire\n"
        + _rows(40, "C{n};{day:02}/03/2024 10:00;{n};TEA-{n};2;12,50\n"),
    ),
    "shopify_orders": (
        ImportKind.ORDERS,
        "orders_export.csv",
        "Name,Email,Paid at,Currency,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku\n"
        + _rows(40, "#1{n},{who}@example.org,2024-03-{day:02} 10:00:00 +0000,GBP,1,Sencha,5.50,TEA-1\n"),
    ),
    "catalogue": (
        ImportKind.PRODUCTS,
        "products.jsonl",
        _rows(10, '{{"sku": "TEA-{n}", "title": "Sencha", "price": 5.5, "category": "tea", "colour": "green"}}\n'),
    ),
    "nothing_known": (ImportKind.ORDERS, "things.csv", "one,two\n" + _rows(5, "x,y\n")),
}


def _suggested(folder: Path, name: str) -> str:
    kind, file, text = FILES[name]
    (folder / file).write_text(text, encoding="utf-8")
    return suggest_mapping(kind, read_sample(folder / file), WORKSPACE)


@pytest.mark.parametrize("name", FILES)
def test_mapping_is_suggested_in_words_that_a_marketer_reads(
    tmp_path: Path, golden: Callable[[str, str], None], name: str
) -> None:
    suggested = _suggested(tmp_path, name)
    golden(f"customers/suggested/{name}.yaml", suggested)
    assert not any(f"{who}0" in suggested for who in PEOPLE)
    assert "203.0.113.7" not in suggested


@pytest.mark.parametrize("name", [name for name in FILES if name != "nothing_known"])
def test_suggestion_has_no_fault_when_it_is_used_as_it_is(runtime: Runtime, tmp_path: Path, name: str) -> None:
    kind, file, text = FILES[name]
    suggested = _suggested(tmp_path, name)
    located, faults = load_yaml(suggested.encode(), "mapping.yaml")
    assert located is not None
    mapping, found = parse_mapping(located, WORKSPACE)
    assert not has_errors([*faults, *found])
    assert mapping is not None
    assert mapping.kind is kind
    result = import_text(runtime, tmp_path, suggested, text, ending=file.rpartition(".")[2])
    assert result.rejected_count == 0
    assert result.imported_count == result.read_count


def test_lines_for_workspace_yaml_make_the_commented_columns_right(tmp_path: Path) -> None:
    suggested = _suggested(tmp_path, "mailchimp_subscribed")
    lines = suggested.splitlines()
    declared = lines[
        lines.index("# … and declare it in workspace.yaml, under `attributes:`, before `postilion apply`:") + 1 :
    ]
    attributes = {}
    for line in declared:
        if not line.startswith("#  "):
            break
        name, _, spec = line[3:].partition(": ")
        kind = spec.removeprefix("{kind: ").partition(",")[0].rstrip("}")
        attributes[name] = AttributeSpec(ValueKind(kind), "personal: true" in spec)
    assert attributes["last_name"].is_personal
    assert attributes["optin_ip"].is_personal
    assert not attributes["member_rating"].is_personal
    moved = [f"  {line[3:]}" for line in lines if line.startswith("#  last_name: Last Name")]
    at = lines.index("columns:") + 1
    wider = replace(WORKSPACE, attributes={**WORKSPACE.attributes, **attributes})
    located, _ = load_yaml("\n".join([*lines[:at], *moved, *lines[at:]]).encode(), "mapping.yaml")
    assert located is not None
    mapping, faults = parse_mapping(located, wider)
    assert mapping is not None, faults
    assert "last_name" in mapping.columns


def test_file_without_header_or_rows_is_told(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("alice@example.org,Alice\nbob@example.org,Bob\n")
    with pytest.raises(InputError, match="the first line holds data"):
        read_sample(file)
    file.write_text("email,name\n")
    with pytest.raises(InputError, match="no rows below its header"):
        read_sample(file)


@pytest.mark.parametrize(
    ("cells", "look", "layout", "other"),
    [
        (["a@example.org", "b@example.org", ""], Look.EMAIL, None, None),
        (["+44 20 7946 0018", "020 7946 0019"], Look.PHONE, None, None),
        (["2024-01-02", "2024-02-03"], Look.DATE, None, None),
        (["2024-01-02 10:00:00", "2024-02-03T10:00:00Z"], Look.INSTANT, None, None),
        (["31/12/2024", "01/02/2024"], Look.DATE, "%d/%m/%Y", None),
        (["12/31/2024", "01/02/2024"], Look.DATE, "%m/%d/%Y", None),
        (["01/02/2024", "03/04/2024"], Look.DATE, "%d/%m/%Y", "%m/%d/%Y"),
        (["31.12.2024 09:30", "01.02.2024 10:00"], Look.INSTANT, "%d.%m.%Y %H:%M", None),
        (["12/31/2024 09:30 PM"], Look.INSTANT, "%m/%d/%Y %I:%M %p", None),
        (["1", "2.5", "-3"], Look.NUMBER, None, None),
        (["1,5", "1.234,56"], Look.DECIMAL_COMMA, None, None),
        (["20240101", "20240102"], Look.NUMBER, None, None),
        (["EUR", "GBP"], Look.CURRENCY, None, None),
        (["Germany", "FR"], Look.COUNTRY, None, None),
        (["yes", "unsubscribed"], Look.CONSENT, None, None),
        (["Europe/Berlin"], Look.ZONE, None, None),
        (["x", "y"], Look.TEXT, None, None),
        ([None, ""], Look.TEXT, None, None),
    ],
)
def test_column_is_what_most_of_its_cells_are(
    cells: list[str | None], look: Look, layout: str | None, other: str | None
) -> None:
    seen = look_at(cells)
    assert (seen.look, seen.layout, seen.other_layout) == (look, layout, other)


def test_a_few_wrong_cells_do_not_hide_what_a_column_is() -> None:
    assert str(look_at([*["a@example.org"] * 98, "none", "?"])) == "98 of 100 are e-mail addresses"


@pytest.mark.parametrize(
    "name", ["First Name", "FIRST_NAME", "firstName", "first-name", " first  name "], ids=lambda name: name.strip()
)
def test_spellings_of_a_name_are_one(name: str) -> None:
    assert plain_name(name) == "first name"


def test_accents_do_not_matter_and_tools_are_known() -> None:
    assert plain_name("Prénom") == "prenom"
    assert find_tool(["Email Address", "LEID"]) == "mailchimp"
    assert find_tool(["mail", "name"]) is None


def test_parquet_and_json_are_looked_at_too(tmp_path: Path) -> None:
    import duckdb

    duckdb.sql(
        "COPY (SELECT 'a@example.org' AS mail, 3 AS visits) TO ? (FORMAT parquet)", params=[str(tmp_path / "p.parquet")]
    )
    assert "email: mail" in suggest_mapping(ImportKind.PROFILES, read_sample(tmp_path / "p.parquet"), WORKSPACE)
    (tmp_path / "p.jsonl").write_bytes(msgspec.json.encode({"contact": "a@example.org", "nested": {"a": 1}}))
    assert "email: contact" in suggest_mapping(ImportKind.PROFILES, read_sample(tmp_path / "p.jsonl"), WORKSPACE)
