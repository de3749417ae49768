"""The same stories against every mail server there is a recipe for."""
