"""Who answers a question, and how it is put: one way for tests, advice and people alike."""
