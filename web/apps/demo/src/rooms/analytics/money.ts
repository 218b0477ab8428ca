const EUROS = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 })

/** `1234567` cents are `€12,346`. */
export function money(cents: number): string {
  return EUROS.format(cents / 100)
}
