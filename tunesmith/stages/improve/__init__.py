"""The stage `improve`: what to do next, and what it should bring."""
