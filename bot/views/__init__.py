"""Rows in, cards out: every card and form the bot shows. Pure; nothing here reads a store, a clock or randomness."""
