//! The currencies that can be used, with their minor digits: ISO 4217, list one.
//!
//! What has no minor unit there (gold, drawing rights, test codes) is no currency of a policy. ANG and BGN, which the list
//! dropped in 2025 and 2026, stay for policies of before.

/// Gives the minor digits of a currency by its three letters; none for what is no currency.
pub(super) fn exponent_of(code: [u8; 3]) -> Option<u32> {
    match &code {
        b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
        | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => Some(0),
        b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => Some(3),
        b"CLF" | b"UYW" => Some(4),
        b"AED" | b"AFN" | b"ALL" | b"AMD" | b"ANG" | b"AOA" | b"ARS" | b"AUD" | b"AWG" | b"AZN"
        | b"BAM" | b"BBD" | b"BDT" | b"BGN" | b"BMD" | b"BND" | b"BOB" | b"BOV" | b"BRL"
        | b"BSD" | b"BTN" | b"BWP" | b"BYN" | b"BZD" | b"CAD" | b"CDF" | b"CHE" | b"CHF"
        | b"CHW" | b"CNY" | b"COP" | b"COU" | b"CRC" | b"CUP" | b"CVE" | b"CZK" | b"DKK"
        | b"DOP" | b"DZD" | b"EGP" | b"ERN" | b"ETB" | b"EUR" | b"FJD" | b"FKP" | b"GBP"
        | b"GEL" | b"GHS" | b"GIP" | b"GMD" | b"GTQ" | b"GYD" | b"HKD" | b"HNL" | b"HTG"
        | b"HUF" | b"IDR" | b"ILS" | b"INR" | b"IRR" | b"JMD" | b"KES" | b"KGS" | b"KHR"
        | b"KPW" | b"KYD" | b"KZT" | b"LAK" | b"LBP" | b"LKR" | b"LRD" | b"LSL" | b"MAD"
        | b"MDL" | b"MGA" | b"MKD" | b"MMK" | b"MNT" | b"MOP" | b"MRU" | b"MUR" | b"MVR"
        | b"MWK" | b"MXN" | b"MXV" | b"MYR" | b"MZN" | b"NAD" | b"NGN" | b"NIO" | b"NOK"
        | b"NPR" | b"NZD" | b"PAB" | b"PEN" | b"PGK" | b"PHP" | b"PKR" | b"PLN" | b"QAR"
        | b"RON" | b"RSD" | b"RUB" | b"SAR" | b"SBD" | b"SCR" | b"SDG" | b"SEK" | b"SGD"
        | b"SHP" | b"SLE" | b"SOS" | b"SRD" | b"SSP" | b"STN" | b"SVC" | b"SYP" | b"SZL"
        | b"THB" | b"TJS" | b"TMT" | b"TOP" | b"TRY" | b"TTD" | b"TWD" | b"TZS" | b"UAH"
        | b"USD" | b"USN" | b"UYU" | b"UZS" | b"VED" | b"VES" | b"WST" | b"XCD" | b"XCG"
        | b"YER" | b"ZAR" | b"ZMW" | b"ZWG" => Some(2),
        _ => None,
    }
}
