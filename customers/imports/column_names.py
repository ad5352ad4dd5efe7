"""What columns are called in the files of other tools and in other languages, and which field of ours that is.

Names are compared as words in small letters without accents: `firstName`, `First Name` and `FIRST_NAME` are one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from customers.imports.fields import ImportKind

Names = Mapping[str, str]  # field of ours: names of columns, parted by commas; the best ones first

_EMAIL = (
    "email, e mail, email address, e mail address, mail, mailadresse, emailadresse, e mail adresse, adresse e mail, "
    "adresse email, courriel, correo electronico, correo, indirizzo email, e mailadres, emailadres, endereco de email, "
    "customer email, subscriber email"
)
_PHONE = (
    "phone, phone number, mobile, mobile phone, mobile phone number, sms phone number, telephone, tel, cell phone, "
    "telefon, telefonnummer, handy, handynummer, mobilnummer, numero de telephone, portable, telefono, movil, "
    "cellulare, telefoon, mobiel, telefone, default address phone"
)
_EXTERNAL_ID = (
    "external id, customer id, customerid, customer number, customer no, client id, user id, kundennummer, kunden nr, "
    "kundennr, kunden id, numero client, id client, numero de cliente, id cliente, codice cliente, klantnummer, "
    "klant id, record id, contact id, klaviyo id, subscriber id, uuid, id"
)
_WHO: Names = {"email": _EMAIL, "phone": _PHONE, "external_id": _EXTERNAL_ID}

_OPTED_IN_AT = (
    "confirm time, optin time, opt in time, opt in date, optin date, opted in at, consent at, consent date, "
    "consent timestamp, consented at, email marketing consent timestamp, subscribed at, subscription date, "
    "subscribe date, date subscribed, anmeldedatum, newsletter seit, date d inscription, fecha de suscripcion, "
    "data iscrizione, inschrijfdatum"
)
_OPTED_IN = (
    "email consent, email marketing consent, accepts email marketing, accepts marketing, consent, newsletter, "
    "email opt in, opt in, optin, opted in, subscribed, subscription status, email subscription status, "
    "marketing consent, email status, status, einwilligung, abonniert, abonne, consentement, suscrito, "
    "consentimiento, iscritto, consenso, toestemming, ingeschreven"
)
_SMS = (
    "sms consent, sms marketing consent, accepts sms marketing, sms opt in, sms subscription status, "
    "sms marketing status"
)
OPTED_IN, OPTED_IN_AT = "consent", "consent.at"  # of e-mail; the channel and the topic come from the workspace
OPTED_OUT_AT = "withdrawn.at"
SMS_OPTED_IN = "sms"

_PROFILES: Names = {
    **_WHO,
    "country": "country code, country, default address country code, country region, land, landercode, pays, pais, "
    "paese, land code, nazione, cc",
    "timezone": "time zone, timezone, zeitzone, fuseau horaire, zona horaria, fuso orario, tijdzone",
    "locale": "locale, preferred locale, language, preferred language, sprache, langue, idioma, lingua, taal",
    "first_name": "first name, firstname, fname, given name, vorname, prenom, nombre, nome, voornaam",
    "last_name": "last name, lastname, lname, surname, family name, nachname, familienname, nom de famille, nom, "
    "apellido, apellidos, cognome, achternaam",
    "birthday": "birthday, birth date, birthdate, date of birth, dob, geburtstag, geburtsdatum, date de naissance, "
    "fecha de nacimiento, data di nascita, geboortedatum",
    "city": "city, town, default address city, ort, stadt, wohnort, ville, ciudad, citta, stad, woonplaats",
    "signed_up_at": "signed up at, created at, create date, date added, profile created on, registered at, "
    "registration date, erstellt am, angelegt am, date de creation, fecha de creacion, data creazione",
    "account": "account id, company id, associated company id, firmennummer",
    "account_name": "company, company name, organization, organisation, default address company, firma, firmenname, "
    "entreprise, societe, empresa, azienda, bedrijf, bedrijfsnaam",
    "account_role": "buying role, role in the buying centre",
    OPTED_IN: _OPTED_IN,
    OPTED_IN_AT: _OPTED_IN_AT,
    OPTED_OUT_AT: "unsub time, unsubscribed at, unsubscribe date, opted out at, opt out date, abmeldedatum",
    SMS_OPTED_IN: _SMS,
}
_LINES: Names = {
    "external_id": _EXTERNAL_ID.removesuffix(", id"),
    "email": _EMAIL,
    "placed_at": "placed at, order date, ordered at, created at, invoicedate, invoice date, date, paid at, "
    "bestelldatum, datum, date de commande, fecha, fecha de pedido, data ordine, besteldatum",
    "sku": "sku, lineitem sku, product id, product code, article, article number, stockcode, item, item id, artikel, "
    "artikelnummer, article no, reference, referencia, codice articolo, artikelcode",
    "quantity": "quantity, qty, lineitem quantity, pieces, menge, anzahl, stueckzahl, stuckzahl, quantite, cantidad, "
    "quantita, aantal",
    "unit_price": "unit price, unitprice, price, lineitem price, item price, einzelpreis, stueckpreis, stuckpreis, "
    "preis, prix unitaire, prix, precio unitario, precio, prezzo, prijs, stukprijs",
    "amount": "amount, line total, line amount, total, betrag, summe, positionsbetrag, montant, importe, importo, "
    "bedrag",
    "currency": "currency, currency code, waehrung, wahrung, devise, moneda, valuta",
    "country": "country, country code, shipping country, land, pays, pais, paese",
    "name": "product name, lineitem name, name, title, description, bezeichnung, artikelname, nom, nombre, nome, naam",
}
_ORDER_NUMBER = (
    "order id, order number, order no, order, invoiceno, invoice no, invoice, bestellnummer, bestell nr, "
    "auftragsnummer, belegnummer, numero de commande, numero de pedido, pedido, numero ordine, ordernummer, "
    "bestelnummer"
)

COLUMN_NAMES: Mapping[ImportKind, Names] = {
    ImportKind.PROFILES: _PROFILES,
    ImportKind.ORDERS: {"order_id": f"{_ORDER_NUMBER}, name, id", **_LINES},
    ImportKind.RETURNS: {
        "return_id": "return id, return number, return no, rma, rma number, refund id, credit note, retourennummer, "
        "gutschriftnummer, numero de retour, retournummer",
        "order_id": _ORDER_NUMBER,
        **_LINES,
        "placed_at": "returned at, return date, refunded at, retourdatum, " + _LINES["placed_at"],
    },
    ImportKind.PRODUCTS: {
        "sku": f"{_LINES['sku']}, variant sku, handle, id",
        "name": _LINES["name"],
        "category": "category, product category, product type, type, kategorie, warengruppe, categorie, categoria",
        "price": f"{_LINES['unit_price']}, variant price",
        "currency": _LINES["currency"],
        "stock": "stock, inventory, variant inventory qty, available, bestand, lagerbestand, lager, existencias, "
        "voorraad",
        "url": "url, product url, link, page",
        "image_url": "image url, image src, image, image link, bild, bild url, afbeelding",
        "is_hidden": "is hidden, hidden, versteckt",
        "is_replenishable": "is replenishable, replenishable",
    },
    ImportKind.EVENTS: {
        **{name: words.removesuffix(", id") for name, words in _WHO.items()},
        "visitor": "anonymous id, anonymousid, visitor id, visitor, client id, cookie id",
        "type": "type",
        "message_id": "message id, messageid, event id, insert id, id",
        "name": "event, event name, name, action, metric, ereignis, evenement, evento",
        "occurred_at": "timestamp, occurred at, original timestamp, sent at, time, event time, date, datum, zeitpunkt",
        "properties": "properties, event properties, attributes, eigenschaften",
        "traits": "traits, user properties",
    },
    ImportKind.CONSENTS: {
        "email": _EMAIL,
        "phone": _PHONE,
        "channel": "channel, kanal, canal, canale, kanaal",
        "topic": "topic, purpose, list, thema, zweck, sujet, finalite, tema, onderwerp",
        "status": f"{_OPTED_IN}, event",
        "basis": "basis, legal basis, rechtsgrundlage, base legale",
        "expires_at": "expires at, expiry, valid until, gueltig bis",
        "text_version": "text version, wording, form version",
        "occurred_at": f"{_OPTED_IN_AT}, unsub time, timestamp, occurred at, date, created at, datum",
    },
    ImportKind.SUPPRESSIONS: {
        "email": _EMAIL,
        "phone": _PHONE,
        "channel": "channel, kanal, canal",
        "reason": "reason, type, status, category, grund, raison, motivo, motif",
        "occurred_at": "clean time, bounced at, bounce date, unsub time, blocked at, created at, created, date, datum, "
        "timestamp, updated at",
    },
    ImportKind.LISTS: {
        **_WHO,
        "list": "list, list name, lists, segment, group, tag, liste, lista, lijst, groupe, gruppe",
        "is_member": "is member, member, subscribed, active",
    },
}

# Which tool made a file: names that only its exports have.
TOOLS: Mapping[str, frozenset[str]] = {
    "mailchimp": frozenset({"leid", "euid", "member rating", "optin time", "clean time", "unsub time"}),
    "mautic": frozenset({"date identified", "preferred profile image", "is published"}),
    "listmonk": frozenset({"subscription status", "attributes"}),
    "shopify": frozenset({"accepts email marketing", "accepts sms marketing", "lineitem sku", "variant sku"}),
    "klaviyo": frozenset({"klaviyo id", "email marketing consent", "profile created on"}),
    "hubspot": frozenset({"record id", "lead status", "marketing contact status", "contact owner"}),
}


def plain_name(name: str) -> str:
    """A column's name as words to compare: small letters, no accents, single blanks."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    letters = unicodedata.normalize("NFKD", spaced.casefold())
    return " ".join(re.findall(r"[a-z0-9]+", "".join(c for c in letters if not unicodedata.combining(c))))


def rank_of(names: Names, field: str, column: str) -> int | None:
    """How well the column's name fits `field`: 0 is best, None is not at all."""
    wanted = [plain_name(name) for name in names[field].split(",")]
    plain = plain_name(column)
    return wanted.index(plain) if plain in wanted else None


def find_tool(columns: Iterable[str]) -> str | None:
    """The tool whose export has these columns."""
    plain = {plain_name(name) for name in columns}
    found = {tool: len(marks & plain) for tool, marks in TOOLS.items()}
    best = max(found, key=lambda tool: found[tool])
    return best if found[best] else None
