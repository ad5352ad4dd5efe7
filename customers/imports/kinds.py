"""The importers, one a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from customers.imports.consents import ConsentImporter
from customers.imports.events import EventImporter
from customers.imports.fields import ImportKind
from customers.imports.job import Importer, Job
from customers.imports.lists import ListImporter
from customers.imports.orders import OrderImporter
from customers.imports.products import ProductImporter
from customers.imports.profiles import ProfileImporter
from customers.imports.returns import ReturnImporter
from customers.imports.suppressions import SuppressionImporter

IMPORTERS: Mapping[ImportKind, Callable[[Job], Importer]] = {
    ImportKind.PROFILES: ProfileImporter,
    ImportKind.PRODUCTS: ProductImporter,
    ImportKind.ORDERS: OrderImporter,
    ImportKind.EVENTS: EventImporter,
    ImportKind.CONSENTS: ConsentImporter,
    ImportKind.SUPPRESSIONS: SuppressionImporter,
    ImportKind.LISTS: ListImporter,
    ImportKind.RETURNS: ReturnImporter,
}
