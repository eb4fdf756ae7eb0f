"""From a study, a table or a corpus to laws, reports, datasets and advice."""
