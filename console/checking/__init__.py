"""The files of a project judged kind by kind, each told of the names of the others; `console.check` asks them all."""
