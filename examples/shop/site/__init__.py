"""The website of Fern & Kettle: three plain pages under a strict policy, with offers on them."""
