"""Laws: closed-form expressions found, fitted, checked, selected and written down."""
