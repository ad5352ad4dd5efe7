"""The tests of a project: files that say who gets what when something happens, and the engine that plays them."""
