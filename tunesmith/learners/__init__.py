"""What differs with the kind of model. Each learner has the same five files."""
