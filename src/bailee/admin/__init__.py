"""The role for operators: REST on a port of its own. It can seal nothing open and dial nobody."""
