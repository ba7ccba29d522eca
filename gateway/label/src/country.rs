//! Countries as markings name them: ISO 3166-1 alpha-3.

use std::fmt;
use std::str::FromStr;

use crate::UnknownCode;

/// An ISO 3166-1 alpha-3 code of an existing entry (or `XKX`, Kosovo, as the
/// EU institutions write it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static Entry);

/// One line of the table: alpha-3, alpha-2, numeric.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Entry(&'static str, &'static str, u16);

impl Country {
    /// The alpha-3 code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.0
    }

    /// The alpha-2 code of ISO 3166-1.
    #[must_use]
    pub const fn alpha2(self) -> &'static str {
        self.0.1
    }

    /// The numeric code: the value on the wire of releasability tags (NATO
    /// SPIF v88, tag set `Releasable To`).
    #[must_use]
    pub const fn numeric(self) -> u16 {
        self.0.2
    }

    /// Every country, by alpha-3.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// The country of a numeric code.
    #[must_use]
    pub fn from_numeric(numeric: u16) -> Option<Self> {
        TABLE.iter().find(|entry| entry.2 == numeric).map(Self)
    }

    /// Reads alpha-3, alpha-2, or the EU's own two letters (`EL` for Greece),
    /// in capitals.
    ///
    /// # Errors
    /// [`UnknownCode`] for any other text.
    pub fn from_any(text: &str) -> Result<Self, UnknownCode> {
        let text = if text == "EL" { "GR" } else { text };
        TABLE
            .iter()
            .find(|entry| entry.0 == text || entry.1 == text)
            .map(Self)
            .ok_or_else(|| UnknownCode::new("country", text))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Country {
    type Err = UnknownCode;

    /// Reads alpha-3 in capitals.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        TABLE
            .binary_search_by(|entry| entry.0.cmp(text))
            .ok()
            .and_then(|at| TABLE.get(at))
            .map(Self)
            .ok_or_else(|| UnknownCode::new("country", text))
    }
}

/// Sorted by alpha-3. The numeric of `XKX` is in the user-assigned range.
#[rustfmt::skip]
static TABLE: [Entry; 250] = [
    Entry("ABW", "AW", 533), Entry("AFG", "AF", 4), Entry("AGO", "AO", 24), Entry("AIA", "AI", 660),
    Entry("ALA", "AX", 248), Entry("ALB", "AL", 8), Entry("AND", "AD", 20), Entry("ARE", "AE", 784),
    Entry("ARG", "AR", 32), Entry("ARM", "AM", 51), Entry("ASM", "AS", 16), Entry("ATA", "AQ", 10),
    Entry("ATF", "TF", 260), Entry("ATG", "AG", 28), Entry("AUS", "AU", 36), Entry("AUT", "AT", 40),
    Entry("AZE", "AZ", 31), Entry("BDI", "BI", 108), Entry("BEL", "BE", 56), Entry("BEN", "BJ", 204),
    Entry("BES", "BQ", 535), Entry("BFA", "BF", 854), Entry("BGD", "BD", 50), Entry("BGR", "BG", 100),
    Entry("BHR", "BH", 48), Entry("BHS", "BS", 44), Entry("BIH", "BA", 70), Entry("BLM", "BL", 652),
    Entry("BLR", "BY", 112), Entry("BLZ", "BZ", 84), Entry("BMU", "BM", 60), Entry("BOL", "BO", 68),
    Entry("BRA", "BR", 76), Entry("BRB", "BB", 52), Entry("BRN", "BN", 96), Entry("BTN", "BT", 64),
    Entry("BVT", "BV", 74), Entry("BWA", "BW", 72), Entry("CAF", "CF", 140), Entry("CAN", "CA", 124),
    Entry("CCK", "CC", 166), Entry("CHE", "CH", 756), Entry("CHL", "CL", 152), Entry("CHN", "CN", 156),
    Entry("CIV", "CI", 384), Entry("CMR", "CM", 120), Entry("COD", "CD", 180), Entry("COG", "CG", 178),
    Entry("COK", "CK", 184), Entry("COL", "CO", 170), Entry("COM", "KM", 174), Entry("CPV", "CV", 132),
    Entry("CRI", "CR", 188), Entry("CUB", "CU", 192), Entry("CUW", "CW", 531), Entry("CXR", "CX", 162),
    Entry("CYM", "KY", 136), Entry("CYP", "CY", 196), Entry("CZE", "CZ", 203), Entry("DEU", "DE", 276),
    Entry("DJI", "DJ", 262), Entry("DMA", "DM", 212), Entry("DNK", "DK", 208), Entry("DOM", "DO", 214),
    Entry("DZA", "DZ", 12), Entry("ECU", "EC", 218), Entry("EGY", "EG", 818), Entry("ERI", "ER", 232),
    Entry("ESH", "EH", 732), Entry("ESP", "ES", 724), Entry("EST", "EE", 233), Entry("ETH", "ET", 231),
    Entry("FIN", "FI", 246), Entry("FJI", "FJ", 242), Entry("FLK", "FK", 238), Entry("FRA", "FR", 250),
    Entry("FRO", "FO", 234), Entry("FSM", "FM", 583), Entry("GAB", "GA", 266), Entry("GBR", "GB", 826),
    Entry("GEO", "GE", 268), Entry("GGY", "GG", 831), Entry("GHA", "GH", 288), Entry("GIB", "GI", 292),
    Entry("GIN", "GN", 324), Entry("GLP", "GP", 312), Entry("GMB", "GM", 270), Entry("GNB", "GW", 624),
    Entry("GNQ", "GQ", 226), Entry("GRC", "GR", 300), Entry("GRD", "GD", 308), Entry("GRL", "GL", 304),
    Entry("GTM", "GT", 320), Entry("GUF", "GF", 254), Entry("GUM", "GU", 316), Entry("GUY", "GY", 328),
    Entry("HKG", "HK", 344), Entry("HMD", "HM", 334), Entry("HND", "HN", 340), Entry("HRV", "HR", 191),
    Entry("HTI", "HT", 332), Entry("HUN", "HU", 348), Entry("IDN", "ID", 360), Entry("IMN", "IM", 833),
    Entry("IND", "IN", 356), Entry("IOT", "IO", 86), Entry("IRL", "IE", 372), Entry("IRN", "IR", 364),
    Entry("IRQ", "IQ", 368), Entry("ISL", "IS", 352), Entry("ISR", "IL", 376), Entry("ITA", "IT", 380),
    Entry("JAM", "JM", 388), Entry("JEY", "JE", 832), Entry("JOR", "JO", 400), Entry("JPN", "JP", 392),
    Entry("KAZ", "KZ", 398), Entry("KEN", "KE", 404), Entry("KGZ", "KG", 417), Entry("KHM", "KH", 116),
    Entry("KIR", "KI", 296), Entry("KNA", "KN", 659), Entry("KOR", "KR", 410), Entry("KWT", "KW", 414),
    Entry("LAO", "LA", 418), Entry("LBN", "LB", 422), Entry("LBR", "LR", 430), Entry("LBY", "LY", 434),
    Entry("LCA", "LC", 662), Entry("LIE", "LI", 438), Entry("LKA", "LK", 144), Entry("LSO", "LS", 426),
    Entry("LTU", "LT", 440), Entry("LUX", "LU", 442), Entry("LVA", "LV", 428), Entry("MAC", "MO", 446),
    Entry("MAF", "MF", 663), Entry("MAR", "MA", 504), Entry("MCO", "MC", 492), Entry("MDA", "MD", 498),
    Entry("MDG", "MG", 450), Entry("MDV", "MV", 462), Entry("MEX", "MX", 484), Entry("MHL", "MH", 584),
    Entry("MKD", "MK", 807), Entry("MLI", "ML", 466), Entry("MLT", "MT", 470), Entry("MMR", "MM", 104),
    Entry("MNE", "ME", 499), Entry("MNG", "MN", 496), Entry("MNP", "MP", 580), Entry("MOZ", "MZ", 508),
    Entry("MRT", "MR", 478), Entry("MSR", "MS", 500), Entry("MTQ", "MQ", 474), Entry("MUS", "MU", 480),
    Entry("MWI", "MW", 454), Entry("MYS", "MY", 458), Entry("MYT", "YT", 175), Entry("NAM", "NA", 516),
    Entry("NCL", "NC", 540), Entry("NER", "NE", 562), Entry("NFK", "NF", 574), Entry("NGA", "NG", 566),
    Entry("NIC", "NI", 558), Entry("NIU", "NU", 570), Entry("NLD", "NL", 528), Entry("NOR", "NO", 578),
    Entry("NPL", "NP", 524), Entry("NRU", "NR", 520), Entry("NZL", "NZ", 554), Entry("OMN", "OM", 512),
    Entry("PAK", "PK", 586), Entry("PAN", "PA", 591), Entry("PCN", "PN", 612), Entry("PER", "PE", 604),
    Entry("PHL", "PH", 608), Entry("PLW", "PW", 585), Entry("PNG", "PG", 598), Entry("POL", "PL", 616),
    Entry("PRI", "PR", 630), Entry("PRK", "KP", 408), Entry("PRT", "PT", 620), Entry("PRY", "PY", 600),
    Entry("PSE", "PS", 275), Entry("PYF", "PF", 258), Entry("QAT", "QA", 634), Entry("REU", "RE", 638),
    Entry("ROU", "RO", 642), Entry("RUS", "RU", 643), Entry("RWA", "RW", 646), Entry("SAU", "SA", 682),
    Entry("SDN", "SD", 729), Entry("SEN", "SN", 686), Entry("SGP", "SG", 702), Entry("SGS", "GS", 239),
    Entry("SHN", "SH", 654), Entry("SJM", "SJ", 744), Entry("SLB", "SB", 90), Entry("SLE", "SL", 694),
    Entry("SLV", "SV", 222), Entry("SMR", "SM", 674), Entry("SOM", "SO", 706), Entry("SPM", "PM", 666),
    Entry("SRB", "RS", 688), Entry("SSD", "SS", 728), Entry("STP", "ST", 678), Entry("SUR", "SR", 740),
    Entry("SVK", "SK", 703), Entry("SVN", "SI", 705), Entry("SWE", "SE", 752), Entry("SWZ", "SZ", 748),
    Entry("SXM", "SX", 534), Entry("SYC", "SC", 690), Entry("SYR", "SY", 760), Entry("TCA", "TC", 796),
    Entry("TCD", "TD", 148), Entry("TGO", "TG", 768), Entry("THA", "TH", 764), Entry("TJK", "TJ", 762),
    Entry("TKL", "TK", 772), Entry("TKM", "TM", 795), Entry("TLS", "TL", 626), Entry("TON", "TO", 776),
    Entry("TTO", "TT", 780), Entry("TUN", "TN", 788), Entry("TUR", "TR", 792), Entry("TUV", "TV", 798),
    Entry("TWN", "TW", 158), Entry("TZA", "TZ", 834), Entry("UGA", "UG", 800), Entry("UKR", "UA", 804),
    Entry("UMI", "UM", 581), Entry("URY", "UY", 858), Entry("USA", "US", 840), Entry("UZB", "UZ", 860),
    Entry("VAT", "VA", 336), Entry("VCT", "VC", 670), Entry("VEN", "VE", 862), Entry("VGB", "VG", 92),
    Entry("VIR", "VI", 850), Entry("VNM", "VN", 704), Entry("VUT", "VU", 548), Entry("WLF", "WF", 876),
    Entry("WSM", "WS", 882), Entry("XKX", "XK", 983), Entry("YEM", "YE", 887), Entry("ZAF", "ZA", 710),
    Entry("ZMB", "ZM", 894), Entry("ZWE", "ZW", 716),
];
