"""What tests of several rooms share: planted tables and small rows."""
