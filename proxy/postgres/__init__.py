"""The PostgreSQL wire protocol 3.0 (PostgreSQL documentation, part "Internals", chapter "Frontend/Backend Protocol")."""
