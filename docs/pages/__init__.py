"""One module for each reference page: it reads the code and answers the page's text, and writes nothing."""
