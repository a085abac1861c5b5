"""What chatcore ships for tests: contract suites, strategies, builders."""
