"""First and last names by country, in the spelling people use there. Any likeness is chance."""

from __future__ import annotations

from typing import Final

_ENGLISH: Final = (
    (
        "Alice Amelia Beatrice Charlotte Chloe Daisy Edith Eleanor Eliza Emily Florence Freya Grace Hannah "
        "Harriet Imogen Iris Isla Ivy Jasmine Josephine Keira Lily Lucy Mabel Martha Matilda Molly Nancy Niamh "
        "Olivia Phoebe Poppy Rosie Ruby Saoirse Sophie Tabitha Willow Zara Albert Alfie Arthur Benjamin Callum "
        "Daniel Edward Ethan Felix Finn Frederick George Harry Henry Hugo Isaac Jack James Joseph Leo Liam Louis "
        "Luke Noah Oliver Oscar Owen Rory Samuel Theo Thomas Toby William Aisha Priya Anika Mohammed Imran Ravi "
        "Kwame Chidi Amara Yusuf"
    ),
    (
        "Adams Allen Atkinson Bailey Baker Barnes Bell Bennett Booth Bradley Brooks Burton Butler Carter Chapman "
        "Clarke Collins Cooper Cox Davies Dixon Edwards Ellis Evans Fisher Fletcher Foster Fox Gibson Graham "
        "Grant Green Griffiths Hall Harris Harvey Hill Holmes Hughes Hunt Hussain Jackson James Jenkins Johnson "
        "Jones Kaur Kelly Kennedy Khan King Knight Lewis Lloyd Marshall Mason Matthews Miller Mills Mitchell "
        "Moore Morgan Morris Murphy Murray Okafor Palmer Parker Patel Pearson Phillips Powell Price Reid Reynolds "
        "Richards Roberts Robinson Rogers Russell Scott Sharma Shaw Simpson Singh Stevens Stewart Taylor Thomas "
        "Thompson Turner Walker Walsh Ward Watson Webb Wells White Wilkinson Williams Wilson Wood Wright Young "
        "O'Brien O'Neill"
    ),
)

# country -> first names, last names
_NAMES: Final[dict[str, tuple[str, str]]] = {
    "DE": (
        (
            "Anna Lena Katharina Julia Marie Sophie Hannah Clara Greta Johanna Lea Mia Emma Frieda Jürgen Jörg Lukas "
            "Felix Jonas Maximilian Paul Moritz Anton Emil Karl Matthias Stefan Björn Ayşe Mehmet"
        ),
        (
            "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter "
            "Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Werner Krause Lehmann "
            "Köhler Yilmaz"
        ),
    ),
    "FR": (
        (
            "Chloé Camille Manon Léa Inès Jeanne Louise Juliette Éloïse Margaux Zoé Amélie Hugo Lucas Louis Gabriel "
            "Jules Théo Raphaël Étienne François Antoine Mathis Noé Yasmine Karim"
        ),
        (
            "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefèvre Michel "
            "Garcia Bertrand Roux Vincent Fournier Morel Girard André Mercier Dupont Lambert Benali"
        ),
    ),
    "NL": (
        (
            "Sanne Fleur Lotte Anouk Femke Emma Julia Eva Lieke Maartje Daan Sem Bram Thijs Jeroen Pieter Sander "
            "Joris Willem Ruben"
        ),
        "Jansen Visser Smit Meijer Mulder Bakker Dekker Brouwer Hendriks Peters Vermeulen Kok Jacobs Vos Postma Kuiper",
    ),
}


def names_of(country: str) -> tuple[list[str], list[str]]:
    """First names and last names; countries that are not listed read English."""
    first, last = _NAMES.get(country, _ENGLISH)
    return first.split(), last.split()
