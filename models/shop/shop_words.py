"""The words a sample shop is written in: its aisles, and the makers of its goods."""

from typing import NamedTuple


class Aisle(NamedTuple):
    """One category: what stands there, of what kind, in which variants and what for."""

    category: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    variants: tuple[str, ...]
    purpose: str


MAKERS = (
    "Halden", "Brandt", "Okabe", "Fiorelli", "Larkin", "Novak", "Tamarind", "Westerby",
    "Marchetti", "Sólheim", "Quill & Co.", "Petrov", "Arbor", "Kestrel", "Lindqvist", "Moraine",
)  # fmt: skip


def _aisle(category: str, adjectives: str, nouns: str, variants: str, purpose: str) -> Aisle:
    adjective, noun, variant = (tuple(words.split(", ")) for words in (adjectives, nouns, variants))
    return Aisle(category, adjective, noun, variant, purpose)


AISLES = (
    _aisle("Kettles and teapots", "copper, enamel, glass, cast-iron, steel, whistling",
           "kettle, teapot, samovar, tea strainer, milk jug, tea caddy",
           "0.5 l, 0.8 l, 1.2 l, 1.7 l", "a slow afternoon with tea"),
    _aisle("Pots and pans", "cast-iron, copper, enamelled, non-stick, ceramic, carbon-steel",
           "frying pan, saucepan, casserole, wok, griddle, stockpot",
           "18 cm, 22 cm, 26 cm, 30 cm", "cooking that takes its time"),
    _aisle("Baking", "non-stick, silicone, tin, ceramic, fluted, springform",
           "cake tin, loaf tin, muffin tray, tart ring, rolling pin, cookie cutter set",
           "small, medium, large, set of 3", "cakes that come out whole"),
    _aisle("Coffee", "burr, hand-cranked, double-walled, steel, porcelain, travel",
           "coffee grinder, moka pot, pour-over cone, French press, espresso cup, milk frother",
           "1 cup, 2 cups, 4 cups, 6 cups", "the first hour of the day"),
    _aisle("Garden tools", "ash-handled, stainless, folding, forged, long-handled, light",
           "spade, hand trowel, pruning saw, rake, secateurs, dibber",
           "short, standard, long, left-handed", "beds and borders"),
    _aisle("Seeds and bulbs", "organic, early, late, heirloom, climbing, dwarf",
           "tomato seeds, sweet pea seeds, tulip bulbs, kale seeds, sunflower seeds, crocus bulbs",
           "20 pieces, 50 pieces, 100 pieces, mixed", "a garden that wakes in spring"),
    _aisle("Hiking", "light, waterproof, insulated, folding, trail, alpine",
           "backpack, trekking pole, water bottle, head torch, rain cover, map case",
           "small, medium, large, ultralight", "long days on foot"),
    _aisle("Camping", "two-season, inflatable, folding, down, compact, canvas",
           "tent, sleeping bag, camp stove, sleeping mat, lantern, camp chair",
           "for 1, for 2, for 3, for 4", "nights outdoors"),
    _aisle("Cycling", "reflective, hydraulic, padded, touring, carbon, puncture-proof",
           "bicycle light, saddle, tyre, handlebar bag, mudguard, chain lock",
           "26 inch, 28 inch, universal, pair", "the way to work and the way round"),
    _aisle("Running", "cushioned, breathable, reflective, light, thermal, trail",
           "running shoes, running vest, running socks, running jacket, arm band, waist pack",
           "S, M, L, XL", "the morning lap"),
    _aisle("Knitting", "merino, alpaca, bamboo, tweed, hand-dyed, organic cotton",
           "yarn, sock yarn, knitting needles, crochet hook, stitch markers, pattern book",
           "50 g, 100 g, 3 mm, 5 mm", "patient evenings"),
    _aisle("Drawing and painting", "watercolour, acrylic, oil, charcoal, fine-liner, gouache",
           "paint set, sketchbook, brush set, pencil set, palette, paper block",
           "A5, A4, A3, 24 pieces", "putting the world on paper"),
    _aisle("Board games", "cooperative, two-player, family, strategy, travel, card-driven",
           "board game, card game, puzzle, dice game, expansion, word game",
           "for ages 6+, for ages 8+, for ages 10+, for ages 14+", "a table full of friends"),
    _aisle("Wooden toys", "beech, painted, magnetic, stacking, musical, rolling",
           "building blocks, train set, puzzle cube, pull-along duck, marble run, shape sorter",
           "20 pieces, 40 pieces, 80 pieces, mini", "small hands"),
    _aisle("Bedding", "linen, satin, flannel, jersey, feather, quilted",
           "duvet cover, pillowcase, fitted sheet, blanket, duvet, bedspread",
           "90 × 200 cm, 140 × 200 cm, 160 × 200 cm, 200 × 220 cm", "deep sleep"),
    _aisle("Lamps", "brass, paper, dimmable, swing-arm, ceramic, rechargeable",
           "desk lamp, floor lamp, pendant lamp, bedside lamp, wall light, string lights",
           "warm white, cool white, 20 cm, 40 cm", "light where it is wanted"),
    _aisle("Headphones and speakers",
           "wireless, wired, noise-cancelling, folding, portable, open-back",
           "headphones, earphones, bookshelf speaker, soundbar, shower speaker, turntable",
           "black, white, sand, forest green", "music in every room"),
    _aisle("Desk and paper", "dotted, ruled, leather, recycled, refillable, brass",
           "notebook, fountain pen, desk tray, letter opener, pencil case, calendar",
           "A6, A5, A4, set of 2", "thoughts worth keeping"),
    _aisle("Pets", "chew-proof, washable, orthopaedic, reflective, plush, adjustable",
           "dog bed, cat tree, dog lead, feeding bowl, cat toy, carrier",
           "small, medium, large, extra large", "friends on four legs"),
    _aisle("Skin and bath", "lavender, unscented, cedar, oat, sea-salt, almond",
           "hand soap, bath oil, face cream, shampoo bar, body scrub, shaving soap",
           "50 ml, 100 ml, 250 ml, 500 ml", "a quiet bathroom"),
)  # fmt: skip
