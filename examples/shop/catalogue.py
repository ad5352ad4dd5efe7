"""The 432 products of Fern & Kettle: twelve categories, each a small grid of things and their colours or sizes.

Also names the pairs of products that customers like to buy together, and what they buy again and again. Prices are
pence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

SITE: Final = "https://shop.example"


@dataclass(frozen=True, slots=True)
class Product:
    """One thing to sell. `price` is in pence; `category` is the name a customer reads."""

    sku: str
    name: str
    category: str
    price: int
    stock: int
    url: str
    image_url: str
    is_replenishable: bool


@dataclass(frozen=True, slots=True)
class Category:
    """A grid of `bases` (with prices in pence) and `variants` (with a factor on the price)."""

    prefix: str
    name: str
    pattern: str
    bases: Mapping[str, int]
    variants: Mapping[str, float]


GLAZES: Final = {"Moss": 1.0, "Oat": 1.0, "Ink": 1.1, "Rose": 1.0, "Fog": 1.0, "Saffron": 1.1}
PACKETS: Final = {"seed packet": 1.0, "seed tin": 2.2}
BAGS: Final = {"bag of 10": 1.0, "bag of 25": 2.2, "bag of 50": 4.0}
HANDLES: Final = {"ash handle": 1.0, "walnut handle": 1.4, "small hands": 0.8}

CATEGORIES: Final = (
    Category(
        "TEA", "Tea", "{base}, {variant}",
        {"Darjeeling First Flush": 1250, "Assam Breakfast": 750, "Earl Grey Blue Flower": 800,
         "Lapsang Souchong": 950, "Jasmine Silver Needle": 1400, "Gyokuro": 1900, "Sencha": 900, "Genmaicha": 850,
         "Milk Oolong": 1300, "White Peony": 1200, "Rooibos & Vanilla": 700, "Garden Mint": 600},
        {"50 g tin": 1.0, "100 g pouch": 1.7, "20 pyramids": 0.9},
    ),
    Category(
        "POT", "Teapots", "{variant} {base}",
        {"Stoneware Teapot": 3800, "Cast-Iron Teapot": 5400, "Porcelain Teapot": 4600, "Enamel Kettle": 4200,
         "Teapot for One": 2800, "Tea Strainer & Stand": 1400},
        GLAZES,
    ),
    Category(
        "CUP", "Cups & mugs", "{variant} {base}",
        {"Stoneware Mug": 1400, "Espresso Cup": 950, "Breakfast Cup": 1600, "Latte Bowl": 1500,
         "Handleless Beaker": 1200, "Cup & Saucer": 1900},
        GLAZES,
    ),
    Category(
        "PAN", "Pantry", "{variant} {base}",
        {"Honey": 850, "Shortbread": 550, "Marmalade": 600, "Oat Biscuits": 500, "Fudge": 650, "Jam": 580},
        {"Lavender": 1.0, "Lemon": 1.0, "Orchard": 1.0, "Ginger": 1.0, "Heather": 1.1, "Rose": 1.1},
    ),
    Category(
        "SEE", "Seeds", "{base}, {variant}",
        {"Sweet Pea Matucana": 320, "Cosmos Purity": 260, "Nigella Miss Jekyll": 250, "Foxglove Alba": 290,
         "Poppy Ladybird": 270, "Cornflower Blue Boy": 250, "Hollyhock Nigra": 310, "Nasturtium Black Velvet": 280,
         "Sunflower Velvet Queen": 280, "Tomato Gardener's Delight": 330, "Runner Bean Painted Lady": 340,
         "Beetroot Chioggia": 260, "Radish French Breakfast": 230, "Basil Genovese": 240, "Lettuce Marvel": 230,
         "Carrot Autumn King": 230, "Rainbow Chard": 270, "Pea Douce Provence": 320},
        PACKETS,
    ),
    Category(
        "BUL", "Bulbs", "{base}, {variant}",
        {"Tulip Queen of Night": 650, "Tulip Apricot Beauty": 680, "Narcissus Thalia": 600, "Narcissus Actaea": 580,
         "Allium Purple Sensation": 720, "Snake's-Head Fritillary": 540, "Crocus Ruby Giant": 420, "Snowdrop": 700,
         "Iris Katharine Hodgkin": 560, "Grape Hyacinth": 380, "Dahlia Café au Lait": 1450, "Lily Regale": 1250},
        BAGS,
    ),
    Category(
        "TOO", "Garden tools", "{base}, {variant}",
        {"Hand Trowel": 1650, "Hand Fork": 1650, "Dibber": 1100, "Border Spade": 4900, "Border Fork": 4900,
         "Dutch Hoe": 3900, "Bulb Planter": 2400, "Pruning Saw": 2900, "Weeding Knife": 2100, "Lawn Rake": 3600,
         "Potting Scoop": 1300, "Soil Sieve": 2700},
        HANDLES,
    ),
    Category(
        "PLA", "Pots & planters", "{variant} {base}",
        {"Long Tom Pot": 1200, "Windowsill Trough": 2600, "Hanging Planter": 2200, "Seed Tray": 900,
         "Olive Jar": 5800, "Plant Saucer": 550},
        {"Terracotta": 1.0, "Slate": 1.2, "Chalk": 1.1, "Verdigris": 1.4, "Charcoal": 1.2, "Sand": 1.0},
    ),
    Category(
        "CAN", "Candles", "{variant} {base}",
        {"Candle": 2400, "Travel Candle": 1200, "Tapers": 950, "Tealights": 800, "Reed Diffuser": 2800,
         "Wax Melts": 650},
        {"Fig Leaf": 1.0, "Tomato Vine": 1.0, "Wood Smoke": 1.1, "Honeysuckle": 1.0, "Rain on Stone": 1.1,
         "Orange & Clove": 1.0},
    ),
    Category(
        "LIN", "Linen", "{variant} {base}",
        {"Linen Tea Towel": 1200, "Linen Apron": 3400, "Table Runner": 2900, "Linen Napkins": 2600,
         "Wool Throw": 6800, "Cushion Cover": 2400},
        GLAZES,
    ),
    Category(
        "LAN", "Lanterns & lights", "{variant} {base}",
        {"Storm Lantern": 3200, "Festoon Lights": 3900, "Candle Holder": 1400, "Table Lamp": 7200,
         "Solar Lantern": 2600, "Wall Sconce": 4400},
        {"Brass": 1.2, "Copper": 1.2, "Black": 1.0, "White": 1.0, "Verdigris": 1.1, "Rattan": 0.9},
    ),
    Category(
        "BOO", "Books & paper", "{variant} {base}",
        {"Almanac": 1600, "Journal": 1400, "Notecards": 800, "Wall Calendar": 1200, "Field Guide": 1800,
         "Postcards": 600},
        {"The Gardener's": 1.0, "The Tea Lover's": 1.0, "The Allotment": 1.0, "The Baker's": 1.0,
         "The Birdwatcher's": 1.0, "The Beekeeper's": 1.0},
    ),
)  # fmt: skip

# (antecedent, consequent, chance that the second joins the first). No product stands on both sides.
PAIRS: Final = (
    ("Ink Cast-Iron Teapot", "Sencha, 50 g tin", 0.62),
    ("Oat Stoneware Teapot", "Oat Stoneware Mug", 0.58),
    ("Rose Cup & Saucer", "Rose Jam", 0.45),
    ("Saffron Tea Strainer & Stand", "Darjeeling First Flush, 100 g pouch", 0.52),
    ("Sweet Pea Matucana, seed packet", "Terracotta Long Tom Pot", 0.55),
    ("Bulb Planter, ash handle", "Tulip Queen of Night, bag of 25", 0.60),
    ("Hand Trowel, walnut handle", "Hand Fork, walnut handle", 0.66),
    ("Basil Genovese, seed packet", "Terracotta Windowsill Trough", 0.48),
    ("Brass Candle Holder", "Honeysuckle Tapers", 0.64),
    ("Black Storm Lantern", "Wood Smoke Tealights", 0.50),
    ("Moss Wool Throw", "Fig Leaf Candle", 0.42),
    ("The Baker's Journal", "Ginger Shortbread", 0.46),
)


# What is used up, by the prefix of its category; and of it what some customers always have, with the days it lasts.
USED_UP: Final = frozenset({"TEA", "PAN"})
STAPLES: Final = {"Assam Breakfast, 100 g pouch": 42, "Garden Mint, 20 pyramids": 28, "Orchard Honey": 63}


def catalogue(seed: int) -> list[Product]:
    """All products, in the order of `CATEGORIES`; the seed decides only what is in stock. Staples always are."""
    rng = np.random.default_rng((seed, 1))
    products: list[Product] = []
    for category in CATEGORIES:
        grid = [(base, variant) for base in category.bases for variant in category.variants]
        for number, (base, variant) in enumerate(grid, start=101):
            sku = f"{category.prefix}-{number}"
            price = max(round(category.bases[base] * category.variants[variant] / 50) * 50 - 5, 195)
            stock = 0 if rng.random() < 0.03 else int(rng.integers(4, 240))
            name = category.pattern.format(base=base, variant=variant)
            stock = stock or (120 if name in STAPLES else 0)
            image = f"{SITE}/images/{category.prefix.lower()}.svg"
            url, is_used_up = f"{SITE}/p/{sku.lower()}", category.prefix in USED_UP
            products.append(Product(sku, name, category.name, price, stock, url, image, is_used_up))
    return products


def planted_pairs(products: list[Product]) -> list[tuple[int, int, float]]:
    """`PAIRS` as positions in `products`."""
    position = {product.name: index for index, product in enumerate(products)}
    return [(position[first], position[second], chance) for first, second, chance in PAIRS]
